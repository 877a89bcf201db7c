import { z } from 'zod';

interface Content {
  schema: z.core.JSONSchema.BaseSchema;
}

interface DescribedResponse {
  description: string;
  content?: Record<string, Content>;
}

interface Operation {
  operationId: string;
  responses: Record<string, DescribedResponse>;
}

/** What a test reads of an OpenAPI document. */
export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, z.core.JSONSchema.BaseSchema>;
    securitySchemes: Record<string, unknown>;
  };
}

/**
 * Holds answers against the document, by its JSON Schemas alone: what is served is what is described.
 * Answers of paths and methods that are not described are left alone.
 */
export function apiContract(document: OpenApiDocument) {
  const parsers = new Map<string, z.ZodType>();

  const parserOf = (schema: z.core.JSONSchema.BaseSchema): z.ZodType => {
    const key = JSON.stringify(schema);
    const known = parsers.get(key);
    if (known !== undefined) return known;
    const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
    const parser = z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
    parsers.set(key, parser);
    return parser;
  };

  return async function check(method: string, path: string, response: Response): Promise<void> {
    const operation = operationOf(document, method, path);
    if (operation === undefined) return;
    const where = `${operation.operationId} answered ${response.status}`;
    const described = operation.responses[response.status];
    if (described === undefined) throw new Error(`${where}, which is not described`);
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    if (type === 'text/event-stream') {
      if (described.content?.[type] === undefined) throw new Error(`${where} with a stream`);
      return;
    }
    const text = await response.clone().text();
    if (method === 'HEAD') return;
    if (text === '' && described.content === undefined) return;
    const content = described.content?.[type];
    if (content === undefined) throw new Error(`${where} with ${type}`);
    const body = JSON.parse(text);
    const parsed = parserOf(content.schema).safeParse(body);
    if (!parsed.success) throw new Error(`${where}: ${z.prettifyError(parsed.error)}`);
    if (type === 'application/problem+json' && !described.description.includes(`\`${body.code}\``)) {
      throw new Error(`${where} with the code ${body.code}, which is not described`);
    }
  };
}

/** The operation that serves a path; a template without parameters goes before one with them. */
function operationOf(document: OpenApiDocument, method: string, path: string): Operation | undefined {
  const [pathname = ''] = path.split('?');
  const templates = Object.keys(document.paths).sort((a, b) => a.split('{').length - b.split('{').length);
  const found = templates.find((template) =>
    new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(pathname),
  );
  const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
  return found === undefined ? undefined : document.paths[found]?.[asked];
}
