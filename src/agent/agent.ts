import { type Clock, sleep } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { newSecret } from '../lib/random.ts';
import type { DeviceKey } from '../signatures/ed25519-key.ts';
import { CloseCode } from '../tunnel/constants.ts';
import { DEFAULT_MUX_LIMITS, type TunnelStream } from '../tunnel/model.ts';
import type { AgentConfig } from './config.ts';
import { connectOnce, type Outcome } from './connection.ts';
import type { Tunnel } from './dial.ts';
import { drainTunnel } from './drain.ts';
import type { Pairing } from './model.ts';
import { waitAfter } from './reconnect.ts';
import { askSigned } from './server-api.ts';
import { type ServerTime, serverTime } from './server-time.ts';
import type { AgentState } from './state.ts';
import { type AgentPhase, type AgentRecord, type AgentStatus, newRecord, statusOf } from './status.ts';

export interface AgentDeps {
  config: AgentConfig;
  state: Pick<AgentState, 'key' | 'pairing' | 'writePairing'>;
  clock: Clock;
  log: Logger;
  /** Serves one stream; never throws. */
  serve: (stream: TunnelStream) => void;
  /** The version of this program, of which the server is told. */
  version: string;
}

export interface RunningAgent extends AsyncDisposable {
  status(): AgentStatus;
  /** Looks at the pairing at once: somebody has joined. */
  reload(): void;
}

/** The server is the one that opens streams, and keeps to its own limits. */
const OPENS_PER_SECOND = 100_000;
const SELF = '/api/v1/device';
/** What the server takes as one word of a device about its state. */
const MAX_STATE_TEXT = 256;
/** How often an agent without a pairing looks whether there is one. */
const LOOK_MS = 5_000;

/** Keeps a tunnel to the server as long as the device is paired. Disposing lets what runs finish, for a while. */
export function startAgent(deps: AgentDeps): RunningAgent {
  return new Agent(deps);
}

class Agent implements RunningAgent {
  readonly #deps: AgentDeps;
  readonly #time: ServerTime;
  readonly #record: AgentRecord;
  readonly #instance = newSecret();
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();
  #tunnel: Tunnel | undefined;
  #pairing: Pairing | undefined;
  /** The pairing of which the server has said that it is over. */
  #over: Pairing | undefined;
  #failures = 0;
  #isCorrected = false;

  constructor(deps: AgentDeps) {
    this.#deps = deps;
    this.#time = serverTime(deps.clock);
    this.#record = newRecord(deps.clock);
    this.#running = this.#run();
  }

  status(): AgentStatus {
    return {
      ...statusOf(this.#record),
      server: this.#pairing?.server ?? null,
      device: this.#pairing?.deviceId ?? null,
      handle: this.#pairing?.handle ?? null,
      clock_behind_ms: this.#time.offsetMs,
      streams: this.#tunnel?.mux.streams.size ?? 0,
      buffered_bytes: this.#tunnel?.mux.bufferedBytes ?? 0,
    };
  }

  reload(): void {
    this.#wake.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error('the agent ends'));
    const { config, clock } = this.#deps;
    if (this.#tunnel !== undefined) await drainTunnel(this.#tunnel, config.tunnel.drain_timeout, clock);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        // A disk that is full, or a file that somebody has damaged: it may be mended while the agent runs.
        this.#deps.log.error('the agent cannot go on; it tries again', { error });
        const reason = error instanceof Error ? error.message : 'unknown error';
        await this.#wait({ kind: 'failed', reason });
      }
    }
  }

  async #round(): Promise<void> {
    const pairing = this.#readPairing();
    this.#pairing = pairing;
    if (pairing === undefined || pairing.ended !== undefined) return this.#lookForPairing(pairing);
    const outcome = await this.#dial(pairing);
    if (outcome.kind === 'revoked') return this.#revoked(pairing, outcome.code);
    // Once for each tunnel: a server whose word changes all the time is waited for like one that is not there.
    if (outcome.kind === 'corrected' && !this.#isCorrected) return this.#corrected();
    return this.#wait(outcome);
  }

  /** What the disk says, unless the server has ended it and the disk could not be told. */
  #readPairing(): Pairing | undefined {
    const found = this.#deps.state.pairing();
    return found?.sessionId === this.#over?.sessionId ? this.#over : found;
  }

  async #lookForPairing(ended: Pairing | undefined): Promise<void> {
    const phase = ended === undefined ? 'unpaired' : 'revoked';
    if (this.#record.phase !== phase) {
      const message = ended === undefined ? 'this device has not joined yet' : 'this device was unpaired';
      const about = ended && { server: ended.server, code: ended.ended?.code };
      this.#deps.log.warn(message, { ...about, next: 'postern agent --join LINK' });
    }
    this.#enter(phase);
    await this.#pause(LOOK_MS);
  }

  async #dial(pairing: Pairing): Promise<Outcome> {
    const { config, state, clock, serve, version } = this.#deps;
    const key = state.key();
    this.#record.dials++;
    this.#record.nextDialAt = undefined;
    this.#enter('connecting');
    try {
      return await connectOnce({
        pairing,
        key,
        version,
        clock,
        instance: this.#instance,
        time: this.#time,
        ca: config.ca,
        timing: config.tunnel,
        limits: { ...DEFAULT_MUX_LIMITS, streams: config.limits.streams, opensPerSecond: OPENS_PER_SECOND },
        signal: this.#ending.signal,
        onStream: serve,
        onOpen: (tunnel) => this.#opened(tunnel, pairing, key),
        onRoundTrip: (ms) => {
          this.#record.roundTripMs = ms;
        },
      });
    } finally {
      this.#tunnel = undefined;
      this.#record.roundTripMs = undefined;
    }
  }

  #opened(tunnel: Tunnel, pairing: Pairing, key: DeviceKey): void {
    this.#tunnel = tunnel;
    this.#record.connections++;
    this.#record.lastFailure = undefined;
    this.#isCorrected = false;
    this.#enter('connected');
    this.#deps.log.info('connected', { server: pairing.server, device: pairing.handle });
    if (this.#ending.signal.aborted) tunnel.mux.end(CloseCode.normal, 'the agent ends');
    else void this.#report(pairing, key);
  }

  /** What the device has to say of itself; nothing depends on it. */
  async #report(pairing: Pairing, key: DeviceKey): Promise<void> {
    const { config, clock, log, version } = this.#deps;
    const services = [...config.services.keys()].join(' ').slice(0, MAX_STATE_TEXT) || 'none';
    const signer = { pairing, key, time: this.#time, clock, ca: config.ca };
    try {
      await askSigned('PATCH', SELF, signer, { version, state: { services } });
    } catch (error) {
      log.debug('the report did not arrive', { error });
    }
  }

  #revoked(pairing: Pairing, code: string): void {
    const { state, clock } = this.#deps;
    this.#over = { ...pairing, ended: { at: clock.now(), code } };
    state.writePairing(this.#over);
  }

  #corrected(): void {
    this.#isCorrected = true;
    const behind = this.#time.offsetMs;
    this.#deps.log.info('the clock of this machine is off; signing by the server’s', { behind_ms: behind });
  }

  async #wait(outcome: Parameters<typeof waitAfter>[0]): Promise<void> {
    if (this.#ending.signal.aborted) return;
    const { clock, config, log } = this.#deps;
    const { ms, reason, failures } = waitAfter(outcome, this.#failures, config.tunnel);
    this.#failures = failures;
    this.#record.lastFailure = reason;
    this.#record.nextDialAt = clock.now() + ms;
    this.#enter('waiting');
    log.warn('not connected', { reason, next_dial_ms: ms });
    await this.#pause(ms);
  }

  /** Ends early when the agent does, or when `reload` is called. */
  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#ending.signal, this.#wake.signal]);
    await sleep(this.#deps.clock, ms, signal).catch(() => undefined);
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  #enter(phase: AgentPhase): void {
    if (this.#ending.signal.aborted || this.#record.phase === phase) return;
    this.#record.phase = phase;
    this.#record.sinceAt = this.#deps.clock.now();
  }
}
