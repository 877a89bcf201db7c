import { encodeAnswerHead, type RefusalCode } from '../tunnel/heads.ts';
import type { TunnelStream } from '../tunnel/model.ts';

/** Tells the server that there is no answer of the service, and why. */
export function refuse(stream: TunnelStream, code: RefusalCode): void {
  void stream.write(encodeAnswerHead({ refused: code }));
  stream.finish();
}
