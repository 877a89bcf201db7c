import type { UnsolicitedView } from '../../src/mcp/exchange.ts';
import { type JsonObject, JsonRpcError, METHOD_NOT_FOUND } from '../../src/mcp/json-rpc.ts';

export interface RecordingView extends UnsolicitedView {
  readonly delivered: { method: string; params: JsonObject | undefined }[];
}

/** A stream that is open, and remembers what it carried. */
export function recordingView(answer?: () => JsonObject, capabilities: JsonObject = {}): RecordingView {
  const delivered: RecordingView['delivered'] = [];
  return {
    client: {
      era: 'legacy',
      protocolVersion: '2025-11-25',
      info: undefined,
      capabilities,
      logLevel: undefined,
    },
    deliver(method, params) {
      delivered.push({ method, params });
      return true;
    },
    async ask() {
      if (answer === undefined) throw new JsonRpcError(METHOD_NOT_FOUND, 'No.');
      return answer();
    },
    delivered,
  };
}
