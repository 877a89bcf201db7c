import type { JsonObject } from './json-rpc.ts';

/** An answer that has become a stream. */
export interface AnswerStream {
  readonly response: Response;
  /** `true`: somebody reads it now. */
  send(message: JsonObject): boolean;
  end(): void;
}

export interface PostAnswerOptions {
  /** Called once, before a stream opens or when the answer is late: from now on somebody has to look after the connection. */
  onSlow: () => void;
  /** Called once, with the result. */
  onDone: () => void;
  /** Absent: the client takes JSON alone. */
  openStream: (() => AnswerStream) | undefined;
}

/** What every answer says, JSON or not. */
const JSON_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};
/** Made once: from an object they would be made again for every answer. */
const JSON_INIT: ResponseInit = { headers: new Headers(JSON_HEADERS) };

export function jsonAnswer(message: unknown, status = 200, headers?: Record<string, string>): Response {
  const body = JSON.stringify(message);
  if (status === 200 && headers === undefined) return new Response(body, JSON_INIT);
  return new Response(body, { status, headers: { ...JSON_HEADERS, ...headers } });
}

/**
 * The answer to one POST. It is JSON when the result comes first and soon; a message that belongs to the request, or the
 * passing of time, makes it a stream of events.
 */
export class PostAnswer {
  readonly response: Promise<Response>;
  readonly #options: PostAnswerOptions;
  #resolve: (response: Response) => void = () => undefined;
  #stream: AnswerStream | undefined;
  #isSlow = false;
  #isDone = false;

  constructor(options: PostAnswerOptions) {
    this.#options = options;
    this.response = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get canStream(): boolean {
    return this.#options.openStream !== undefined;
  }

  /** Sends a message ahead of the result; `false`: nobody reads it. */
  send(message: JsonObject): boolean {
    if (this.#isDone) return false;
    this.becomeSlow();
    return this.#stream?.send(message) ?? false;
  }

  /**
   * The result, or the error. `status` and `headers` count where nothing has been sent yet.
   * @throws what cannot be written as JSON; then nothing has been answered.
   */
  finish(message: JsonObject, status?: number, headers?: Record<string, string>): void {
    if (this.#isDone) return;
    if (this.#stream === undefined) {
      const response = this.#asJson(message, status, headers);
      this.#done();
      return this.#resolve(response);
    }
    this.#stream.send(message);
    this.#done();
    this.#stream.end();
  }

  #done(): void {
    this.#isDone = true;
    this.#options.onDone();
  }

  #asJson(message: JsonObject, status?: number, headers?: Record<string, string>): Response {
    const response = jsonAnswer(message, status, headers);
    // The connection has no timeout any more.
    if (this.#isSlow) response.headers.set('connection', 'close');
    return response;
  }

  /** Opens the stream, where the client takes one. */
  becomeSlow(): void {
    if (this.#isSlow || this.#isDone) return;
    this.#isSlow = true;
    this.#options.onSlow();
    this.#stream = this.#options.openStream?.();
    if (this.#stream !== undefined) this.#resolve(this.#stream.response);
  }
}
