import type { JsonRpcError, JsonRpcId } from './json-rpc.ts';

/** A message that is refused with a status of its own. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly error: JsonRpcError;
  readonly id: JsonRpcId | null;

  constructor(status: number, error: JsonRpcError, id: JsonRpcId | null) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.id = id;
  }
}
