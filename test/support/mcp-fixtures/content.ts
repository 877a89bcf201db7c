import { INVALID_PARAMS, isObject, type Json, Refusal } from './json-lines.ts';
import schema from './json-schema-2020-12.json';

/** What both fixture servers have to offer: the tools, resources and prompts that the referee asks for by name. */

/** One red pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A WAVE file without samples. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';

export const text = (value: string) => ({ type: 'text', text: value });
export const said = (value: string): Json => ({ content: [text(value)] });

const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const embedded = (uri: string, mimeType: string, value: string) => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
});

/** Tools that answer at once, and always the same. */
export const PLAIN_TOOLS: Readonly<Record<string, Json>> = {
  test_simple_text: said('This is a simple text response for testing.'),
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] },
  test_embedded_resource: {
    content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  },
  test_multiple_content_types: {
    content: [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  },
  test_error_handling: { ...said('This tool intentionally returns an error for testing'), isError: true },
};

const strings = (...names: string[]): Json => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  required: names,
});

const SCHEMAS: Readonly<Record<string, Json>> = {
  test_sampling: strings('prompt'),
  test_elicitation: strings('message'),
  json_schema_2020_12_tool: schema,
  test_region: {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
    required: ['region'],
  },
};

/** The descriptions of tools as lists carry them. */
export function toolList(names: Iterable<string>): Json[] {
  return [...names].map((name) => ({
    name,
    description: `Fixture: ${name.replaceAll('_', ' ')}`,
    inputSchema: SCHEMAS[name] ?? { type: 'object', properties: {} },
  }));
}

const RESOURCES: readonly Json[] = [
  { uri: 'test://static-text', name: 'static-text', description: 'A text', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static-binary', description: 'A picture', mimeType: 'image/png' },
  { uri: 'test://watched-resource', name: 'watched', description: 'It changes', mimeType: 'text/plain' },
];

const TEMPLATES: readonly Json[] = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'template',
    description: 'Data of one id',
    mimeType: 'application/json',
  },
];

const FIXED: Readonly<Record<string, Json>> = {
  'test://static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched resource content' },
};

/** @throws Refusal with `missingCode`, which differs between the eras. */
export function readResource(uri: unknown, missingCode: number): Json {
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(String(uri)) ?? [];
  const data = { id, templateTest: true, data: `Data for ID: ${id}` };
  const found =
    id === undefined ? FIXED[String(uri)] : { mimeType: 'application/json', text: JSON.stringify(data) };
  if (found === undefined) throw new Refusal(missingCode, 'Resource not found', { uri });
  return { contents: [{ uri, ...found }] };
}

const argument = (name: string) => ({ name, description: `The ${name}`, required: true });

const PROMPTS: readonly Json[] = [
  { name: 'test_simple_prompt', description: 'A simple prompt' },
  {
    name: 'test_prompt_with_arguments',
    description: 'A prompt with arguments',
    arguments: [argument('arg1'), argument('arg2')],
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A prompt with a resource in it',
    arguments: [argument('resourceUri')],
  },
  { name: 'test_prompt_with_image', description: 'A prompt with a picture' },
  { name: 'test_input_required_result_prompt', description: 'A prompt that asks first' },
];

export const user = (content: Json): Json => ({ role: 'user', content });

/** @throws Refusal for a prompt that is not there, or wants input first. */
export function getPrompt(name: unknown, given: unknown): Json {
  const values = isObject(given) ? given : {};
  switch (name) {
    case 'test_simple_prompt':
      return { messages: [user(text('This is a simple prompt for testing.'))] };
    case 'test_prompt_with_arguments': {
      const [arg1, arg2] = [String(values['arg1']), String(values['arg2'])];
      return { messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] };
    }
    case 'test_prompt_with_embedded_resource': {
      const resource = embedded(
        String(values['resourceUri']),
        'text/plain',
        'Embedded resource content for testing.',
      );
      return { messages: [user(resource), user(text('Please process the embedded resource above.'))] };
    }
    case 'test_prompt_with_image':
      return { messages: [user(image), user(text('Please analyze the image above.'))] };
    default:
      throw new Refusal(INVALID_PARAMS, 'Unknown prompt');
  }
}

/** Completions of the one argument that somebody may ask for. */
export function complete(params: Json): Json {
  const { value } = isObject(params['argument']) ? params['argument'] : {};
  const values = ['paris', 'park', 'party'].filter((each) => each.startsWith(String(value)));
  return { completion: { values, total: values.length, hasMore: false } };
}

/** What is answered to a request for a list, whoever asks. */
export const LISTS: Readonly<Record<string, Json>> = {
  'resources/list': { resources: RESOURCES },
  'resources/templates/list': { resourceTemplates: TEMPLATES },
  'prompts/list': { prompts: PROMPTS },
};

const LINES: Readonly<Record<string, string>> = {
  test_sampling: 'LLM response',
  test_elicitation: 'User response',
};

/** What a tool that asks says in the end. */
export const saidOfAnswers = (tool: string, answers: Json): Json =>
  said(`${LINES[tool] ?? 'state-ok'}: ${JSON.stringify(answers)}`);
