import type { Json } from './json-lines.ts';

/** What the tools want to know of the client, by the names under which 2026-07-28 asks for it. */

export type Asks = Readonly<Record<string, Json>>;

const elicit = (message: string, properties: Json, required?: string[]): Json => ({
  method: 'elicitation/create',
  params: {
    message,
    requestedSchema: { type: 'object', properties, ...(required !== undefined && { required }) },
  },
});
const one = (message: string, name: string, type = 'string') => elicit(message, { [name]: { type } }, [name]);
const sample = (prompt: string, maxTokens = 100): Json => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens },
});
const roots: Json = { method: 'roots/list', params: {} };

const DEFAULTS = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};

const titled = (...pairs: [string, string][]) => pairs.map(([value, title]) => ({ const: value, title }));
const OPTIONS = ['option1', 'option2', 'option3'];
const ENUMS = {
  untitledSingle: { type: 'string', enum: OPTIONS },
  titledSingle: {
    type: 'string',
    oneOf: titled(['value1', 'First Option'], ['value2', 'Second Option'], ['value3', 'Third Option']),
  },
  legacyEnum: {
    type: 'string',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
  titledMulti: {
    type: 'array',
    items: {
      anyOf: titled(['value1', 'First Choice'], ['value2', 'Second Choice'], ['value3', 'Third Choice']),
    },
  },
};

/** One entry a round: what is asked in it. */
export type Rounds = readonly Asks[];

/** Every tool that asks its client something, given the arguments of the call. */
export const ASKING_TOOLS: Readonly<Record<string, (given: Json) => Rounds>> = {
  test_sampling: ({ prompt }) => [{ answer: sample(String(prompt)) }],
  test_elicitation: ({ message }) => [
    {
      user_response: elicit(
        String(message),
        {
          username: { type: 'string', description: "User's response" },
          email: { type: 'string', description: "User's email address" },
        },
        ['username', 'email'],
      ),
    },
  ],
  test_elicitation_sep1034_defaults: () => [{ values: elicit('Please check these.', DEFAULTS, []) }],
  test_elicitation_sep1330_enums: () => [{ choices: elicit('Please choose.', ENUMS, []) }],
  test_streaming_elicitation: () => [{ user_name: one('What is your name?', 'name') }],
  test_missing_capability: () => [{ answer: sample('Anything') }],
  test_input_required_result_elicitation: () => [{ user_name: one('What is your name?', 'name') }],
  test_input_required_result_sampling: () => [{ capital_question: sample('What is the capital of France?') }],
  test_input_required_result_list_roots: () => [{ client_roots: roots }],
  test_input_required_result_request_state: () => [{ confirm: one('Please confirm', 'ok', 'boolean') }],
  test_input_required_result_tampered_state: () => [{ confirm: one('Please confirm', 'ok', 'boolean') }],
  test_input_required_result_multiple_inputs: () => [
    {
      user_name: one('What is your name?', 'name'),
      greeting: sample('Generate a greeting', 50),
      client_roots: roots,
    },
  ],
  test_input_required_result_multi_round: () => [
    { step1: one('Step 1: What is your name?', 'name') },
    { step2: one('Step 2: What is your favorite color?', 'color') },
  ],
};

/** Asks for what the client can do, and for nothing else. */
export const CAPABILITY_TOOL = 'test_input_required_result_capabilities';
export const CAPABILITY_ASKS: Asks = {
  name: one('What is your name?', 'name'),
  greeting: sample('Generate a greeting', 50),
};

export const ASKING_PROMPT = 'test_input_required_result_prompt';
export const PROMPT_ASKS: Asks = { user_context: one('What context should the prompt use?', 'context') };
