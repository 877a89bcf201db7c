import type { z } from 'zod';
import { AppError, type ErrorKind } from '../lib/app-error.ts';
import { readJson } from './json-body.ts';
import { shortcomings } from './shortcomings.ts';

export type ApiMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Who may call a route: decided by `authenticate`, told to programs by the rest. */
export interface ApiAccess<Caller> {
  /** The scope with which a personal token may call too; absent where only a browser session may. */
  readonly scope?: string;
  readonly ownersOnly?: boolean;
  /** What decides where that is no browser session: a device's token or signature, or what the body holds alone. */
  readonly by?: 'device_token' | 'device_signature' | 'body';
  /** How it refuses, where that is not as people are refused. */
  readonly refusals?: readonly ApiRefusal[];
  /** @throws AppError `unauthorized` or `forbidden`. */
  authenticate(request: Request): Promise<Caller>;
}

/** A refusal of the route's own, besides those that follow from its access, parameters and body. */
export interface ApiRefusal {
  readonly kind: ErrorKind;
  readonly code: string;
}

/** What a route answers when all is well. */
export interface ApiAnswer<Schema = z.ZodType | undefined> {
  readonly status: 200 | 201 | 204;
  readonly description: string;
  readonly schema?: Schema;
  /** Absent: `application/json` where there is a schema, nothing otherwise. */
  readonly contentType?: 'text/event-stream';
}

/** What `/openapi.json` says of a route. */
interface Described<Params, Query, Body, Output> {
  readonly method: ApiMethod;
  /** With `{name}` for each parameter, as OpenAPI writes it. */
  readonly path: `/api/v1/${string}`;
  /** Unique, for generated clients. */
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** A parameter that does not fit names nothing that exists: 404. */
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: ApiAnswer<Output>;
  readonly refusals?: readonly ApiRefusal[];
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;
type Answered<Schema> = Schema extends z.ZodType ? z.input<Schema> : undefined;

export interface ApiCall<Caller, Params, Query, Body> {
  readonly request: Request;
  readonly caller: Caller;
  readonly params: Parsed<Params>;
  readonly query: Parsed<Query>;
  readonly body: Parsed<Body>;
}

interface ApiRouteSpec<Caller, Params, Query, Body, Output> extends Described<Params, Query, Body, Output> {
  readonly access: ApiAccess<Caller>;
  /** Answers what `answer.schema` describes, or a finished response where its headers matter. */
  handle(
    call: ApiCall<Caller, Params, Query, Body>,
  ): Promise<Answered<Output> | Response> | Answered<Output> | Response;
}

/** One operation of `/api/v1`: what is served, and what is said of it, come from the same object. */
export interface ApiRoute
  extends Described<
    z.ZodObject | undefined,
    z.ZodObject | undefined,
    z.ZodType | undefined,
    z.ZodType | undefined
  > {
  readonly access: Omit<ApiAccess<unknown>, 'authenticate'>;
  /** @throws AppError for every refusal. */
  serve(request: Request, pathParams: unknown, limits: ApiLimits): Promise<Response>;
}

export interface ApiLimits {
  maxBodyBytes: number;
}

/**
 * Makes a route of a specification. Who asks is settled before anything they sent is looked at, so that a stranger
 * learns of no route what it takes.
 */
export function apiRoute<
  Caller,
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
  Output extends z.ZodType | undefined = undefined,
>(spec: ApiRouteSpec<Caller, Params, Query, Body, Output>): ApiRoute {
  return {
    ...spec,
    async serve(request, pathParams, { maxBodyBytes }) {
      const caller = await spec.access.authenticate(request);
      const params = parse<Params>(spec.params, pathParams, notFound);
      const query = parse<Query>(spec.query, spec.query && queryOf(request), refusedQuery);
      const body = parse<Body>(spec.body, spec.body && (await readJson(request, maxBodyBytes)), refusedBody);
      const answer = await spec.handle({ request, caller, params, query, body });
      return answer instanceof Response ? answer : toResponse(answer, spec.answer.status);
    },
  };
}

function parse<Schema extends z.ZodType | undefined>(
  schema: Schema | undefined,
  value: unknown,
  refuse: (error: z.ZodError) => AppError,
): Parsed<Schema> {
  if (schema === undefined) return undefined as Parsed<Schema>;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refuse(parsed.error);
  return parsed.data as Parsed<Schema>;
}

/** The parameters of the query, each at most once. @throws AppError `bad_request` (`duplicate_parameter`). */
function queryOf(request: Request): Record<string, string> {
  const [, ...query] = request.url.split('?');
  const params = new URLSearchParams(query.join('?'));
  if (new Set(params.keys()).size !== params.size) {
    throw new AppError('bad_request', 'duplicate_parameter', 'A parameter was sent twice.');
  }
  return Object.fromEntries(params);
}

function toResponse(answer: unknown, status: number): Response {
  const headers = { 'cache-control': 'no-store' };
  if (answer === undefined) return new Response(null, { status, headers });
  return Response.json(answer, { status, headers });
}

/** What does not exist, what is someone else's and what cannot exist look alike. */
export const notFound = () => new AppError('not_found', 'not_found', 'There is no such thing here.');

const refusedQuery = (error: z.ZodError) =>
  new AppError('unprocessable', 'invalid_query', `The query does not fit: ${shortcomings(error)}.`);

const refusedBody = (error: z.ZodError) =>
  new AppError('unprocessable', 'invalid_body', `The body does not fit: ${shortcomings(error)}.`);
