import { AppError } from '../lib/app-error.ts';

/** Bodies that were read before the handler of their request asks for them: a body can be read only once. */
const kept = new WeakMap<Request, Uint8Array>();

/** Keeps what was read of a request, for whoever reads its body next. */
export function keepBody(request: Request, body: Uint8Array): void {
  kept.set(request, body);
}

/**
 * The whole body, but never more than `maxBytes` of it in memory.
 * @throws AppError `payload_too_large` (`body_too_large`).
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > maxBytes) throw bodyTooLarge();
  const known = kept.get(request);
  if (known !== undefined && known.byteLength > maxBytes) throw bodyTooLarge();
  if (known !== undefined) return known;
  if (request.body === null) return new Uint8Array(0);
  try {
    // An announced length is never exceeded (RFC 9112 section 6.3), and reading in one piece takes half the time.
    return announced === null
      ? await readBounded(request.body, maxBytes)
      : new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw request.signal.aborted ? incompleteBody(error) : bodyTooLarge(error);
  }
}

/** Reading fails by itself when the connection ends, and when the runtime's own, larger limit is passed. */
async function readBounded(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const bodyTooLarge = (cause?: unknown) =>
  new AppError('payload_too_large', 'body_too_large', 'The body is larger than this accepts.', { cause });

const incompleteBody = (cause: unknown) =>
  new AppError('bad_request', 'incomplete_body', 'The body ended early.', { cause });
