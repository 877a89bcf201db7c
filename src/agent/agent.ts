import { type Clock, sleep, withDeadline } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { newSecret } from '../lib/random.ts';
import type { DeviceKey } from '../signatures/ed25519-key.ts';
import { CloseCode } from '../tunnel/constants.ts';
import { DEFAULT_MUX_LIMITS, type TunnelStream } from '../tunnel/model.ts';
import { backoffMs } from './backoff.ts';
import type { AgentConfig } from './config.ts';
import { connectOnce, type Outcome } from './connection.ts';
import type { Tunnel } from './dial.ts';
import type { Pairing } from './model.ts';
import { askSigned } from './server-api.ts';
import { serverTime } from './server-time.ts';
import type { AgentState } from './state.ts';
import { type AgentPhase, type AgentStatus, newRecord, statusOf } from './status.ts';

export interface AgentDeps {
  config: AgentConfig;
  state: AgentState;
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
export function startAgent({ config, state, clock, log, serve, version }: AgentDeps): RunningAgent {
  const ending = new AbortController();
  const instance = newSecret();
  const time = serverTime(clock);
  const record = newRecord(clock);
  let tunnel: Tunnel | undefined;
  let pairing: Pairing | undefined;
  /** The pairing of which the server has said that it is over. */
  let over: Pairing | undefined;
  let wake = new AbortController();
  let failures = 0;
  let corrections = 0;

  const enter = (phase: AgentPhase) => {
    if (ending.signal.aborted || record.phase === phase) return;
    record.phase = phase;
    record.sinceAt = clock.now();
  };
  /** Ends early when the agent does, or when `reload` is called. */
  const pause = async (ms: number) => {
    const signal = AbortSignal.any([ending.signal, wake.signal]);
    await sleep(clock, ms, signal).catch(() => undefined);
    if (wake.signal.aborted) wake = new AbortController();
  };

  const withoutPairing = async () => {
    const phase = pairing === undefined ? 'unpaired' : 'revoked';
    if (record.phase !== phase) {
      log.warn(phase === 'unpaired' ? 'this device has not joined yet' : 'this device was unpaired', {
        ...(pairing && { server: pairing.server, code: pairing.ended?.code }),
        next: 'postern agent --join LINK',
      });
    }
    enter(phase);
    await pause(LOOK_MS);
  };

  const onOpen = (opened: Tunnel, now: Pairing, key: DeviceKey) => {
    tunnel = opened;
    record.connections++;
    record.lastFailure = undefined;
    corrections = 0;
    enter('connected');
    log.info('connected', { server: now.server, device: now.handle });
    if (ending.signal.aborted) opened.mux.end(CloseCode.normal, 'the agent ends');
    void report(now, key);
  };

  /** What the device has to say of itself; nothing depends on it. */
  const report = async (now: Pairing, key: DeviceKey) => {
    try {
      const state = { services: [...config.services.keys()].join(' ').slice(0, MAX_STATE_TEXT) || 'none' };
      await askSigned('PATCH', SELF, { pairing: now, key, time, clock, ca: config.ca }, { version, state });
    } catch (error) {
      log.debug('the report did not arrive', { error });
    }
  };

  const dial = async (now: Pairing): Promise<Outcome> => {
    const key = state.key();
    record.dials++;
    record.nextDialAt = undefined;
    enter('connecting');
    try {
      return await connectOnce({
        pairing: now,
        instance,
        version,
        key,
        time,
        clock,
        ca: config.ca,
        timing: config.tunnel,
        limits: { ...DEFAULT_MUX_LIMITS, streams: config.limits.streams, opensPerSecond: OPENS_PER_SECOND },
        signal: ending.signal,
        onStream: serve,
        onOpen: (opened) => onOpen(opened, now, key),
        onRoundTrip: (ms) => {
          record.roundTripMs = ms;
        },
      });
    } finally {
      tunnel = undefined;
      record.roundTripMs = undefined;
    }
  };

  const wait = async (ms: number, reason: string) => {
    if (ending.signal.aborted) return;
    record.lastFailure = reason;
    record.nextDialAt = clock.now() + ms;
    enter('waiting');
    log.warn('not connected', { reason, next_dial_ms: ms });
    await pause(ms);
  };

  const bounds = { minMs: config.tunnel.backoff_min, maxMs: config.tunnel.backoff_max };
  const react = async (outcome: Outcome, now: Pairing) => {
    switch (outcome.kind) {
      case 'revoked':
        over = { ...now, ended: { at: clock.now(), code: outcome.code } };
        return state.writePairing(over);
      case 'corrected':
        // Once for each tunnel: a server whose word changes all the time is waited for like one that is not there.
        if (corrections++ === 0)
          return log.info('the clock of this machine is off; signing by the server’s', {
            behind_ms: time.offsetMs,
          });
        return wait(backoffMs(bounds, failures++), 'the clocks do not agree');
      case 'replaced':
        // Whoever has the same key gets a turn, instead of a fight that nobody wins.
        return wait(
          backoffMs({ ...bounds, minMs: bounds.maxMs / 2 }, 30),
          'another agent with the key of this device has connected',
        );
      case 'lost':
        failures = outcome.lastedMs >= config.tunnel.stable_after ? 0 : failures + 1;
        return wait(backoffMs(bounds, failures), outcome.reason);
      case 'failed':
        return wait(
          Math.max(backoffMs(bounds, failures++), Math.min(outcome.retryAfterMs ?? 0, bounds.maxMs)),
          outcome.reason,
        );
    }
  };

  /** What the disk says, unless the server has ended it and the disk could not be told. */
  const readPairing = () => {
    const found = state.pairing();
    return found?.sessionId === over?.sessionId ? over : found;
  };
  const round = async () => {
    pairing = readPairing();
    if (pairing === undefined || pairing.ended !== undefined) await withoutPairing();
    else await react(await dial(pairing), pairing);
  };
  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        await round();
      } catch (error) {
        // A disk that is full, or a file that somebody has damaged: it may be mended while the agent runs.
        log.error('the agent cannot go on; it tries again', { error });
        await wait(backoffMs(bounds, failures++), error instanceof Error ? error.message : 'unknown error');
      }
    }
  };
  const running = run();

  return {
    status: () => ({
      ...statusOf(record),
      server: pairing?.server ?? null,
      device: pairing?.deviceId ?? null,
      handle: pairing?.handle ?? null,
      clock_behind_ms: time.offsetMs,
      streams: tunnel?.mux.streams.size ?? 0,
      buffered_bytes: tunnel?.mux.bufferedBytes ?? 0,
    }),
    reload: () => wake.abort(),
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('the agent ends'));
      await drain(tunnel, config.tunnel.drain_timeout, clock);
      await running;
    },
  };
}

const DRAIN_STEP_MS = 20;

async function drain(tunnel: Tunnel | undefined, timeoutMs: number, clock: Clock): Promise<void> {
  if (tunnel === undefined) return;
  const { mux, ended } = tunnel;
  mux.goAway();
  const idle = async () => {
    while (mux.streams.size > 0) await sleep(clock, DRAIN_STEP_MS);
  };
  await withDeadline(
    clock,
    timeoutMs,
    Promise.race([idle(), ended]),
    () => new Error('not everything had finished'),
  ).catch(() => undefined);
  mux.end(CloseCode.normal, 'the agent ends');
  await ended;
}
