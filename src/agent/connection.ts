import { FetchError } from '../lib/safe-fetch.ts';
import { signRequest } from '../signatures/sign-request.ts';
import { CloseCode } from '../tunnel/constants.ts';
import type { MuxEnd, MuxLimits, TunnelStream } from '../tunnel/model.ts';
import type { TunnelTiming } from './config-schema.ts';
import { DialError, dialTunnel, type Tunnel } from './dial.ts';
import { startHeartbeat } from './heartbeat.ts';
import { askSigned, type ServerAnswer, type SignerDeps, whyUnreachable } from './server-api.ts';

/** What a dial, or a tunnel, came to. */
export type Outcome =
  /** Dial again, after a wait. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number | undefined }
  /** The clock was corrected: dial again at once. */
  | { readonly kind: 'corrected' }
  /** The tunnel stood for so long, then it was lost. */
  | { readonly kind: 'lost'; readonly reason: string; readonly lastedMs: number }
  /** Another agent with the same key took the place of this one. */
  | { readonly kind: 'replaced' }
  /** The pairing is over. */
  | { readonly kind: 'revoked'; readonly code: string };

export interface ConnectionDeps extends SignerDeps {
  /** Names this run of the agent: two at once with one key are two agents. */
  instance: string;
  /** Of this program. */
  version: string;
  timing: TunnelTiming;
  limits: MuxLimits;
  signal: AbortSignal;
  onStream: (stream: TunnelStream) => void;
  onOpen: (tunnel: Tunnel) => void;
  onRoundTrip: (ms: number) => void;
}

const INSTANCE_HEADER = 'postern-instance';
/** Where the server says which clock it goes by. */
const SELF = '/api/v1/device';
/** What the server calls a signature that is too old, or from the future. */
const CLOCK_CODES: readonly string[] = ['signature_stale', 'signature_future'];
/** What it calls a device that is not paired any more, or was never. */
const REVOKED_CODES: readonly string[] = ['device_not_paired', 'invalid_token'];

/** Dials once, and stays until the tunnel is over. Never rejects. */
export async function connectOnce(deps: ConnectionDeps): Promise<Outcome> {
  const { clock, timing } = deps;
  let tunnel: Tunnel;
  try {
    tunnel = await dial(deps);
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    return deps.signal.aborted ? failed('called off') : diagnose(error, deps);
  }
  const since = clock.monotonicNow();
  using _heartbeat = startHeartbeat({
    mux: tunnel.mux,
    clock,
    intervalMs: timing.heartbeat_interval,
    timeoutMs: timing.heartbeat_timeout,
    onAnswer: deps.onRoundTrip,
  });
  deps.onOpen(tunnel);
  return outcomeOf(await tunnel.ended, clock.monotonicNow() - since);
}

function dial(deps: ConnectionDeps): Promise<Tunnel> {
  const { pairing, key, time, clock, ca, timing, limits, signal, onStream } = deps;
  const url = new URL(pairing.tunnelUrl);
  const headers = signRequest({ method: 'GET', url }, { key, sessionId: pairing.sessionId, now: time.now() });
  return dialTunnel({
    url: url.href,
    headers: { ...headers, [INSTANCE_HEADER]: deps.instance, 'user-agent': `postern/${deps.version}` },
    ca,
    clock,
    timeoutMs: timing.connect_timeout,
    limits,
    signal,
    onStream,
  });
}

function outcomeOf({ code, reason }: MuxEnd, lastedMs: number): Outcome {
  if (code === CloseCode.revoked) return { kind: 'revoked', code: 'session_ended' };
  if (code === CloseCode.replaced) return { kind: 'replaced' };
  return { kind: 'lost', reason: `${reason === '' ? 'the line was lost' : reason} (${code})`, lastedMs };
}

/** A WebSocket tells nothing of why it was refused. The same proof over plain HTTP is answered in full. */
async function diagnose(dialled: DialError, deps: ConnectionDeps): Promise<Outcome> {
  try {
    return judge(dialled, await askSigned('GET', SELF, deps), deps);
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    return failed(
      dialled.status === undefined
        ? whyUnreachable(error)
        : `the server refused the tunnel (${dialled.status})`,
    );
  }
}

function judge(
  { message, status }: DialError,
  answer: ServerAnswer,
  { time, clock }: ConnectionDeps,
): Outcome {
  const isClock = answer.code !== undefined && CLOCK_CODES.includes(answer.code);
  const fits = answer.status === 200 || isClock;
  // An answer of 200 may come from a server that is less strict about time than its tunnel.
  if (fits && answer.serverMs !== undefined && time.correct(answer.serverMs)) return { kind: 'corrected' };
  if (answer.status === 401 && answer.code !== undefined && REVOKED_CODES.includes(answer.code)) {
    return { kind: 'revoked', code: answer.code };
  }
  if (isClock) return failed(`the clock is off (${new Date(clock.now()).toISOString()} here)`);
  const reason = status === undefined ? message : `the server refused the tunnel (${status})`;
  return failed(
    answer.status === 200 ? reason : `the server answers ${answer.code ?? answer.status}`,
    answer.retryAfterMs,
  );
}

const failed = (reason: string, retryAfterMs?: number): Outcome => ({ kind: 'failed', reason, retryAfterMs });
