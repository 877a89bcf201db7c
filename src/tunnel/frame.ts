import { HEADER_BYTES } from './constants.ts';

/** Writes a header at the start of `frame`; `length` is data bytes, credit, a ping's value or a code (yamux, "Framing"). */
export function writeHeader(
  frame: Uint8Array,
  type: number,
  flags: number,
  id: number,
  length: number,
): void {
  frame[0] = 0;
  frame[1] = type;
  frame[2] = 0;
  frame[3] = flags;
  writeUint32(frame, 4, id);
  writeUint32(frame, 8, length);
}

/** A frame without data. */
export function controlFrame(type: number, flags: number, id: number, length: number): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES);
  writeHeader(frame, type, flags, id, length);
  return frame;
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((readUint16(bytes, at) << 16) | readUint16(bytes, at + 2)) >>> 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
