import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import { type AnswerHead, decodeAnswerHead } from '../tunnel/heads.ts';
import { DEFAULT_MUX_LIMITS, type TunnelStream } from '../tunnel/model.ts';
import { readHead } from '../tunnel/read-head.ts';
import { DialError, dialTunnel, type Tunnel } from './dial.ts';
import { startHeartbeat } from './heartbeat.ts';
import { askServer, whyUnreachable } from './server-api.ts';
import { SocketJoin } from './socket-join.ts';

/** What `postern connect` speaks to the server: frames, one stream for each connection that is made here. */
const TCP_PROTOCOL = 'postern.tcp.v1';
const TIMEOUT_MS = 15_000;
const HEARTBEAT = { intervalMs: 20_000, timeoutMs: 10_000 };

export interface ConnectorDeps {
  /** Origin of the server. */
  server: string;
  device: string;
  service: string;
  /** A personal token that was made for this service. */
  token: string;
  /** Certificates that are believed besides the system's, PEM. */
  ca: string | undefined;
  clock: Clock;
}

/** A way to one TCP service of one device. */
export interface Connector extends Disposable {
  /**
   * Opens one connection to the service; the line to the server is shared, and dialled when there is none.
   * @throws CommandError with the reason.
   */
  open(onOver: () => void): Promise<SocketJoin>;
}

export function connector(deps: ConnectorDeps): Connector {
  const ending = new AbortController();
  let dialling: Promise<Tunnel> | undefined;

  const forget = async (tunnel: Tunnel, heartbeat: Disposable) => {
    await tunnel.ended;
    heartbeat[Symbol.dispose]();
    dialling = undefined;
  };
  const dial = async (): Promise<Tunnel> => {
    const tunnel = await dialService(deps, ending.signal);
    const heartbeat = startHeartbeat({
      mux: tunnel.mux,
      clock: deps.clock,
      ...HEARTBEAT,
      onAnswer: () => undefined,
    });
    void forget(tunnel, heartbeat);
    return tunnel;
  };
  const line = async (): Promise<Tunnel> => {
    dialling ??= dial();
    try {
      return await dialling;
    } catch (error) {
      dialling = undefined;
      throw error;
    }
  };

  return {
    async open(onOver) {
      const { mux } = await line();
      const stream = mux.open();
      if (stream === undefined) throw new CommandError('as many connections are open as may be');
      const join = new SocketJoin(stream, onOver);
      const answer = await answerOf(stream, join);
      if (answer !== undefined && 'status' in answer) return join;
      join.close();
      // The other side has said its last word; until this one has too, the stream takes up a place in three tunnels.
      stream.reset();
      throw new CommandError(
        await whyRefused(deps, answer === undefined ? 'the line was cut' : answer.refused),
      );
    },
    [Symbol.dispose]() {
      ending.abort(new Error('no longer wanted'));
      void dialling?.then(
        ({ mux }) => mux.end(1_000, 'done'),
        () => undefined,
      );
    },
  };
}

async function dialService(deps: ConnectorDeps, signal: AbortSignal): Promise<Tunnel> {
  const { token, ca, clock } = deps;
  const url = serviceUrl(deps);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const headers = { authorization: `Bearer ${token}` };
  try {
    return await dialTunnel({
      url: url.href,
      protocol: TCP_PROTOCOL,
      headers,
      ca,
      clock,
      timeoutMs: TIMEOUT_MS,
      limits: DEFAULT_MUX_LIMITS,
      signal,
    });
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    throw new CommandError(await whyRefused(deps, error.message), 1, { cause: error });
  }
}

/** The head that the device answers; `undefined` when the line was cut first. What follows goes where the stream is joined to. */
function answerOf(stream: TunnelStream, join: SocketJoin): Promise<AnswerHead | undefined> {
  return new Promise((resolve) => {
    readHead(stream, decodeAnswerHead, {
      head(head) {
        resolve(head);
        return join.fromStream;
      },
      bad() {
        stream.reset();
        resolve(undefined);
      },
      reset: () => resolve(undefined),
    });
    // The other end hears of a stream by its first bytes; that there are none yet is news as well.
    void stream.write(new Uint8Array(0));
  });
}

/** A WebSocket tells nothing of why it was refused, and a device nothing of itself; a plain request is answered in full. */
async function whyRefused(deps: ConnectorDeps, otherwise: string): Promise<string> {
  try {
    const headers = { authorization: `Bearer ${deps.token}` };
    const { code, detail } = await askServer({ method: 'GET', url: serviceUrl(deps), headers }, deps);
    return code === undefined || detail === undefined ? otherwise : `${detail} (${code})`;
  } catch (error) {
    if (error instanceof FetchError) return `${deps.server}: ${whyUnreachable(error)}`;
    throw error;
  }
}

function serviceUrl({ server, device, service }: ConnectorDeps): URL {
  return new URL(`/d/${encodeURIComponent(device)}/${encodeURIComponent(service)}/`, server);
}
