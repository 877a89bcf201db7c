import { z } from 'zod';
import { impliedRefusals } from './api-refusals.ts';
import type { ApiRefusal, ApiRoute } from './api-route.ts';
import { statusOf } from './problem.ts';

type Json = Record<string, unknown>;

export interface OpenApiOptions {
  routes: readonly ApiRoute[];
  /** The origin of `url`. */
  origin: string;
  /** The name of the session cookie at that origin. */
  cookie: string;
  /** Of the appliance. */
  version: string;
}

const problem = z
  .looseObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('for people; it never repeats what was sent in'),
    code: z.string().describe('for programs; it stays the same between releases'),
    request_id: z.string().describe('finds the line in the log'),
    server_time: z
      .int()
      .optional()
      .describe('where a device was refused: the time it was judged by, in seconds since 1970'),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457).' });

/** Describes the routes in OpenAPI 3.1, from the very schemas that they validate with. */
export function openApiDocument({ routes, origin, cookie, version }: OpenApiOptions): Json {
  const components = componentSchemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Postern', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: origin }],
    paths,
    components: {
      schemas: components.all,
      securitySchemes: {
        browserSession: {
          type: 'apiKey',
          in: 'cookie',
          name: cookie,
          description: 'The cookie of a browser session. Unsafe methods also need this origin in `Origin`.',
        },
        personalToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'A personal token that names the scope. A cookie beside it is not looked at.',
        },
        deviceToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'The session token that a device was given when it was paired.',
        },
        deviceSignature: {
          type: 'apiKey',
          in: 'header',
          name: 'signature',
          description:
            'A signature by the key of a paired device, with `signature-input` (RFC 9421) and `content-digest` (RFC 9530).',
        },
      },
    },
  };
}

/** Text of the document, made when first asked for. */
export function lazyOpenApi(options: OpenApiOptions): () => string {
  let text: string | undefined;
  return () => (text ??= JSON.stringify(openApiDocument(options)));
}

interface Components {
  readonly all: Json;
  /** A schema to stand in the document; whatever has an `id` becomes a component and a reference to it. */
  refer(schema: z.ZodType, io: 'input' | 'output'): Json;
}

function componentSchemas(): Components {
  const all: Json = {};
  return {
    all,
    refer(schema, io) {
      const { $defs = {}, properties } = z.toJSONSchema(z.object({ schema }), { io });
      const moved = (json: unknown): Json =>
        JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/'));
      for (const [id, definition] of Object.entries($defs)) all[id] = moved(definition);
      return moved(properties?.['schema']);
    },
  };
}

function operation(route: ApiRoute, components: Components): Json {
  const { operationId, tag, summary, description, access } = route;
  const notes = [description, access.ownersOnly === true ? 'Owners only.' : undefined];
  const parameters = [
    ...parametersOf(route.params, 'path', components),
    ...parametersOf(route.query, 'query', components),
  ];
  return {
    operationId,
    tags: [tag],
    summary,
    description: notes.filter((note) => note !== undefined).join(' ') || undefined,
    security: securityOf(route),
    parameters: parameters.length > 0 ? parameters : undefined,
    requestBody: route.body && {
      required: true,
      content: jsonContent(components.refer(route.body, 'input')),
    },
    responses: {
      [route.answer.status]: answerOf(route, components),
      ...refusalsOf(route, components),
      default: { description: 'Any other error.', content: problemContent(components) },
    },
  };
}

function securityOf({ access }: ApiRoute): Json[] {
  if (access.by === 'body') return [];
  if (access.by === 'device_token') return [{ deviceToken: [] }];
  if (access.by === 'device_signature') return [{ deviceSignature: [] }];
  const token = access.scope === undefined ? [] : [{ personalToken: [access.scope] }];
  return [{ browserSession: [] }, ...token];
}

function parametersOf(
  schema: z.ZodObject | undefined,
  place: 'path' | 'query',
  components: Components,
): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const { description, ...rest } = components.refer(field as z.ZodType, 'input');
    const required = place === 'path' || !(field as z.ZodType).safeParse(undefined).success;
    return { name, in: place, required, description, schema: rest };
  });
}

function answerOf({ answer }: ApiRoute, components: Components): Json {
  const { description, schema, contentType } = answer;
  if (contentType !== undefined) {
    // OpenAPI 3.1 has no words for the events of a stream; their data is described all the same.
    const event = schema && components.refer(schema, 'output');
    return { description, content: { [contentType]: { schema: { type: 'string' }, 'x-event-data': event } } };
  }
  return { description, content: schema && jsonContent(components.refer(schema, 'output')) };
}

function refusalsOf(route: ApiRoute, components: Components): Json {
  const codesByStatus = Map.groupBy([...impliedRefusals(route), ...(route.refusals ?? [])], statusOfRefusal);
  const responses: Json = {};
  for (const [status, refusals] of codesByStatus) {
    const codes = [...new Set(refusals.map(({ code }) => `\`${code}\``))].join(', ');
    responses[status] = { description: `Codes: ${codes}.`, content: problemContent(components) };
  }
  return responses;
}

const statusOfRefusal = ({ kind }: ApiRefusal) => statusOf(kind);

const problemContent = (components: Components): Json => ({
  'application/problem+json': { schema: components.refer(problem, 'output') },
});

const jsonContent = (schema: Json): Json => ({ 'application/json': { schema } });
