import { ByteQueue } from './byte-queue.ts';
import { readUint16, readUint32, writeUint32 } from './frame.ts';

/**
 * WebSocket messages in a stream: what it is (u8, the opcodes of RFC 6455 section 5.2), how long (u32), then its bytes.
 * A close is a code (u16) and a reason, or nothing.
 */
export const MessageKind = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export type MessageKind = (typeof MessageKind)[keyof typeof MessageKind];

export interface SocketMessage {
  readonly kind: MessageKind;
  readonly payload: Uint8Array;
}

const PREFIX_BYTES = 5;
/** What a control message holds at most, a close included (RFC 6455 section 5.5). */
const CONTROL_BYTES = 125;
const KINDS: ReadonlySet<number> = new Set(Object.values(MessageKind));

export function encodeMessage(kind: MessageKind, payload: Uint8Array | string): Uint8Array {
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + length);
  bytes[0] = kind;
  writeUint32(bytes, 1, length);
  if (typeof payload === 'string') bytes.write(payload, PREFIX_BYTES);
  else bytes.set(payload, PREFIX_BYTES);
  return bytes;
}

/** The reason is cut to what a close holds, between two characters. */
export function encodeClose(code: number, reason: string): Uint8Array {
  const payload = new Uint8Array(CONTROL_BYTES);
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  payload[0] = code >>> 8;
  payload[1] = code;
  return encodeMessage(MessageKind.close, payload.subarray(0, 2 + written));
}

/** The code and the reason of a close; 1005 says that it had none (RFC 6455 section 7.4.1). */
export function decodeClose(payload: Uint8Array): { code: number; reason: string } {
  if (payload.length < 2) return { code: 1005, reason: '' };
  return { code: readUint16(payload, 0), reason: new TextDecoder().decode(payload.subarray(2)) };
}

export interface MessageReader {
  /** Bytes of the stream, as they arrive; false: they are not messages, or one is too long. Nothing is read after that. */
  push(chunk: Uint8Array): boolean;
  /** What waits of a message that is not whole. */
  readonly heldBytes: number;
}

/** Cuts a stream into messages; a longer one than `maxBytes` is refused by its announcement, before it is held. */
export function messageReader(maxBytes: number, onMessage: (message: SocketMessage) => void): MessageReader {
  const held = new ByteQueue();
  /** Of the message that comes next, once its prefix has come. */
  let needed = PREFIX_BYTES;
  let broken = false;

  /** How many messages' bytes stand at the start of `bytes`; what is left waits. */
  const cut = (bytes: Uint8Array): boolean => {
    let at = 0;
    for (;;) {
      needed = PREFIX_BYTES;
      if (bytes.length - at < PREFIX_BYTES) break;
      const kind = bytes[at] ?? 0;
      const length = readUint32(bytes, at + 1);
      if (!isAcceptable(kind, length, maxBytes)) return false;
      needed = PREFIX_BYTES + length;
      if (bytes.length - at < needed) break;
      onMessage({ kind, payload: bytes.subarray(at + PREFIX_BYTES, at + needed) });
      at += needed;
    }
    held.push(bytes.subarray(at));
    return true;
  };

  return {
    get heldBytes() {
      return held.bytes;
    },
    push(chunk) {
      if (broken) return false;
      held.push(chunk);
      if (held.bytes < needed) return true;
      broken = !cut(held.takeAll());
      return !broken;
    },
  };
}

function isAcceptable(kind: number, length: number, maxBytes: number): kind is MessageKind {
  if (!KINDS.has(kind)) return false;
  if (kind >= MessageKind.close)
    return length <= CONTROL_BYTES && !(kind === MessageKind.close && length === 1);
  return length <= maxBytes;
}
