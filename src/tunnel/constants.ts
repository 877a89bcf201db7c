/** Bytes of a frame's header (yamux specification, "Framing"). */
export const HEADER_BYTES = 12;

/** What a stream may send before any window update arrives (yamux specification, "Flow control"). */
export const INITIAL_WINDOW_BYTES = 256 * 1024;

/** A window is a 32-bit number on the wire. */
export const LARGEST_WINDOW = 2 ** 32 - 1;

export const FrameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;

export const Flag = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;

/** Why a side goes away (yamux specification, "Go Away"). */
export const GoAwayCode = { normal: 0, protocolError: 1, internalError: 2 } as const;

/**
 * Close codes of the WebSocket that carries a tunnel; 4000 to 4999 are for applications (RFC 6455 section 7.4.2).
 * The numbers follow the HTTP status that would say the same.
 */
export const CloseCode = {
  normal: 1000,
  /** Frames that break the protocol. */
  protocolError: 4400,
  /** The session behind the connection has ended: unpaired or revoked. Coming back needs a new pairing. */
  revoked: 4401,
  /** Nothing was heard for too long. */
  timeout: 4408,
  /** A newer connection of the same device took its place. */
  replaced: 4409,
  /** More frames, streams or pings than a well-behaved side sends. */
  flood: 4429,
  /** A bug on the side that closes. */
  internalError: 4500,
  /** The server shuts down or wants the device to connect again. */
  goingAway: 4503,
} as const;
