import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { CloseCode, HEADER_BYTES } from '../tunnel/constants.ts';
import { joinStreams } from '../tunnel/flow.ts';
import { encodeAnswerHead, encodeRequestHead, type RefusalCode } from '../tunnel/heads.ts';
import type { Mux, MuxLimits, TunnelStream } from '../tunnel/model.ts';
import { openMux } from '../tunnel/mux.ts';
import type { HubMetrics } from './metrics-hub.ts';
import type { OpenStream } from './open-stream.ts';
import type { TunnelSocket } from './tunnel-connection.ts';

/** The subprotocol of `postern connect`: yamux frames, one stream for each connection that is made there. */
export const TCP_PROTOCOL = 'postern.tcp.v1';

export interface TcpRelayDeps {
  service: string;
  /** Opens a stream to the device. @throws AppError when it is not there. */
  open: () => OpenStream;
  /** Has the socket close with the visitor's session. */
  attach: (close: () => void) => Disposable;
  limits: MuxLimits;
  clock: Clock;
  metrics: Pick<HubMetrics, 'carried'>;
}

/**
 * One `postern connect`: a WebSocket that carries connections to a TCP service. A stream that the visitor opens becomes one
 * of the device's; what the device answers, its head included, goes back as it is, and each side waits for the other.
 */
export class TcpRelay {
  readonly maxMessageBytes: number;
  readonly #deps: TcpRelayDeps;
  #mux: Mux | undefined;
  #attachment: Disposable | undefined;

  constructor(deps: TcpRelayDeps) {
    this.#deps = deps;
    this.maxMessageBytes = HEADER_BYTES + deps.limits.maxFrameBytes;
  }

  opened(socket: TunnelSocket): void {
    const { clock, limits, attach } = this.#deps;
    this.#mux = openMux({
      role: 'server',
      transport: {
        send: (frame) => socket.sendBinary(frame as Uint8Array<ArrayBuffer>) > 0,
        cork: (run) => socket.cork(run),
        close: (code, reason) => socket.close(code, reason),
      },
      clock,
      limits,
      onStream: (stream) => this.#connect(stream),
      onEnd: () => this.#attachment?.[Symbol.dispose](),
    });
    this.#attachment = attach(() => this.#mux?.end(CloseCode.revoked, 'the token has ended'));
  }

  message(message: string | Uint8Array): void {
    this.#mux?.receive(message);
  }

  drained(): void {
    this.#mux?.drained();
  }

  closed(code: number, reason: string): void {
    this.#mux?.lost(code, reason);
  }

  /** The server goes away. */
  end(): void {
    this.#mux?.end(CloseCode.goingAway, 'the server is going away');
  }

  #connect(visitor: TunnelStream): void {
    const { service, open, metrics } = this.#deps;
    let device: OpenStream;
    try {
      device = open();
    } catch (error) {
      const isBusy = error instanceof AppError && error.code === 'device_busy';
      return refuse(visitor, isBusy ? 'busy' : 'service_unreachable');
    }
    metrics.carried('tcp', 'answered');
    void device.stream.write(encodeRequestHead({ kind: 'tcp', service }));
    joinStreams(visitor, device.stream, {
      answered: () => device.answered(),
      over: () => device.released(),
    });
  }
}

/** Says why not, and drops what the visitor has sent meanwhile. */
function refuse(visitor: TunnelStream, refused: RefusalCode): void {
  void visitor.write(encodeAnswerHead({ refused }));
  visitor.finish();
  visitor.read({
    data: ({ length }) => visitor.consumed(length),
    end: () => undefined,
    reset: () => undefined,
  });
}
