import type { SessionId } from '../sessions/model.ts';
import type { TunnelStream } from '../tunnel/model.ts';
import type { UserId } from '../users/model.ts';

export type CarriedKind = 'http' | 'websocket' | 'tcp';

/** What a stream is for, and for whom. */
export interface Carried {
  readonly kind: CarriedKind;
  readonly service: string;
  /** The visitor's session; the stream ends with it. */
  readonly sessionId: SessionId;
  /** Nobody for guests. */
  readonly userId: UserId | undefined;
}

export interface StreamPatience {
  /** How long nothing may move before the service has answered. */
  answerTimeoutMs: number;
  /** How long nothing may move after that. */
  idleTimeoutMs: number;
}

/** Why one of ours ended a stream. `late`: no answer came in time. */
export type CutReason = 'late' | 'idle' | 'killed' | 'session_ended' | 'going_away';

/** One stream that carries something for a visitor, from its opening until nothing is left of it. */
export class OpenStream {
  readonly stream: TunnelStream;
  readonly carried: Carried;
  /** Set when one of ours ended it, before its reader hears of the reset. */
  cutReason: CutReason | undefined;

  readonly #patience: StreamPatience;
  readonly #onReleased: () => void;
  #attachment: Disposable | undefined;
  #isAnswered = false;
  #isEndless: boolean;
  #isReleased = false;
  #moved = -1;
  #movedAt = 0;

  constructor(stream: TunnelStream, carried: Carried, patience: StreamPatience, onReleased: () => void) {
    this.stream = stream;
    this.carried = carried;
    this.#patience = patience;
    this.#onReleased = onReleased;
    this.#isEndless = carried.kind !== 'http';
  }

  /** Whether it comes to no end by itself: a WebSocket, a connection, an event stream. */
  get isEndless(): boolean {
    return this.#isEndless;
  }

  /** Has this end with it, once the stream is over. */
  holds(attachment: Disposable): void {
    if (this.#isReleased) attachment[Symbol.dispose]();
    else this.#attachment = attachment;
  }

  /** The head of the answer has come. */
  answered(isEndless = this.#isEndless): void {
    this.#isAnswered = true;
    this.#isEndless = isEndless;
  }

  /** Ends it from our side; whoever reads it hears of a reset. */
  cut(reason: CutReason): void {
    if (this.#isReleased) return;
    this.cutReason ??= reason;
    this.stream.reset();
    this.released();
  }

  /** Nothing is left to do for it. */
  released(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#attachment?.[Symbol.dispose]();
    this.#onReleased();
  }

  /** Cuts it when nothing has moved for too long; `now` is monotonic. */
  round(now: number): void {
    const { bytesIn, bytesOut } = this.stream.stats;
    const moved = bytesIn + bytesOut;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#movedAt = now;
      return;
    }
    const { answerTimeoutMs, idleTimeoutMs } = this.#patience;
    if (now - this.#movedAt < (this.#isAnswered ? idleTimeoutMs : answerTimeoutMs)) return;
    this.cut(this.#isAnswered ? 'idle' : 'late');
  }
}
