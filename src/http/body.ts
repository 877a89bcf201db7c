import { AppError } from '../lib/app-error.ts';

/**
 * The whole body, but never more than `maxBytes` of it in memory.
 * @throws AppError `payload_too_large` (`body_too_large`).
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > maxBytes) throw bodyTooLarge();
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw bodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const bodyTooLarge = () =>
  new AppError('payload_too_large', 'body_too_large', 'The body is larger than this accepts.');
