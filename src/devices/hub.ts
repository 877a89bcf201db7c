import type { AuditRecorder } from '../audit/recorder.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { instantText } from '../lib/instant.ts';
import type { Logger } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { CloseCode } from '../tunnel/constants.ts';
import type { MuxEnd, MuxLimits } from '../tunnel/model.ts';
import { cloneWatch } from './clones.ts';
import { hubMetrics, type TunnelEnd } from './metrics-hub.ts';
import type { Device, DeviceId } from './model.ts';
import type { Carried, OpenStream } from './open-stream.ts';
import { TunnelConnection, type TunnelPeer, type TunnelTiming } from './tunnel-connection.ts';

export interface HubDeps {
  ledger: Pick<Ledger, 'attach' | 'recogniseDevice' | 'touch' | 'findDurable' | 'lastSeenAt'>;
  audit: AuditRecorder;
  metrics: Metrics;
  clock: Clock;
  log: Logger;
  limits: MuxLimits;
  timing: TunnelTiming;
  /** WebSockets of one visitor's session to one device: the runtime holds the unfinished message of each, unseen by us. */
  socketsPerSession: number;
  /** A device is connected: what waited for it may go. */
  onConnected?: (id: DeviceId) => void;
}

/** What of a device the hub needs to carry something to it. */
export type HubDevice = Pick<Device, 'id' | 'sessionId'>;

/** What a visitor is told of a device that is not connected: ask again after so many seconds. */
const RETRY_SECONDS = 30;
/** The same where there are as many streams as there may be. */
const BUSY_RETRY_SECONDS = 1;
const GOING_AWAY = 'the server is going away';

export type Hub = ReturnType<typeof openHub>;

/** The tunnels of all devices: one for each, the newest that proved who it is. */
export function openHub(deps: HubDeps) {
  const { ledger, audit, clock, log, limits, timing } = deps;
  const tunnels = new Map<DeviceId, TunnelConnection>();
  const clones = cloneWatch(clock);
  const past = { in: 0, out: 0 };
  const attachments = new WeakMap<TunnelConnection, Disposable>();
  let generations = 0;
  let isClosing = false;

  const metrics = hubMetrics(deps.metrics, () => {
    const sum = { tunnels: tunnels.size, streams: 0, bufferedBytes: 0, bytesIn: past.in, bytesOut: past.out };
    for (const tunnel of tunnels.values()) {
      const { bytesOfEnded } = tunnel;
      sum.streams += tunnel.streamCount;
      sum.bufferedBytes += tunnel.bufferedBytes;
      sum.bytesIn += bytesOfEnded.in;
      sum.bytesOut += bytesOfEnded.out;
      for (const { stream } of tunnel.streams) {
        sum.bytesIn += stream.stats.bytesIn;
        sum.bytesOut += stream.stats.bytesOut;
      }
    }
    return sum;
  });

  const noteClone = ({ deviceId, sessionId, address }: TunnelPeer) => {
    metrics.cloned();
    log.warn('two agents with one key take turns', { device: deviceId });
    audit.note({
      at: clock.now(),
      action: 'device.cloned',
      outcome: 'refused',
      subjectUserId: ledger.findDurable(sessionId)?.userId,
      sessionId,
      address,
      detail: { device: deviceId },
    });
  };

  const onOpened = (tunnel: TunnelConnection) => {
    const { deviceId, instance } = tunnel.peer;
    if (isClosing) return tunnel.end(CloseCode.goingAway, GOING_AWAY);
    const current = tunnels.get(deviceId);
    // Its own proof is older than that of the one that stands: this happens when two dial in the same instant.
    if (current !== undefined && current.generation > tunnel.generation) {
      return tunnel.end(CloseCode.replaced, 'a newer connection of this device is open');
    }
    tunnels.set(deviceId, tunnel);
    metrics.opened();
    current?.end(CloseCode.replaced, 'a newer connection of this device took its place');
    if (current !== undefined && clones.swapped(deviceId, current.peer.instance, instance)) {
      noteClone(tunnel.peer);
    }
    deps.onConnected?.(deviceId);
  };

  const onEnded = (tunnel: TunnelConnection, cause: MuxEnd) => {
    attachments.get(tunnel)?.[Symbol.dispose]();
    const { in: bytesIn, out: bytesOut } = tunnel.bytesOfEnded;
    past.in += bytesIn;
    past.out += bytesOut;
    metrics.ended(endReason(cause));
    const { deviceId } = tunnel.peer;
    if (tunnels.get(deviceId) === tunnel) tunnels.delete(deviceId);
    if (cause.kind === 'internal') log.error('a tunnel failed', { device: deviceId, error: cause.error });
    else if (cause.kind !== 'lost' && cause.kind !== 'local') {
      log.warn('a tunnel was closed', { device: deviceId, reason: cause.reason });
    }
  };

  const connection = (peer: TunnelPeer) =>
    new TunnelConnection(peer, ++generations, {
      clock,
      limits,
      timing,
      onOpened,
      onEnded,
      onSeen: (id) => ledger.touch(id),
    });

  const offline = (device: HubDevice): AppError => {
    const lastSeenAt = ledger.lastSeenAt(device.sessionId);
    const seen = lastSeenAt === undefined ? undefined : instantText(lastSeenAt);
    const since = seen === undefined ? '' : ` It was last seen at ${seen}.`;
    return new AppError('offline', 'device_offline', `The device is not connected.${since}`, {
      retryAfterSeconds: RETRY_SECONDS,
      members: seen === undefined ? undefined : { last_seen_at: seen },
    });
  };

  return {
    metrics,
    /** Whether a device is connected, and how: see `TunnelConnection`. */
    find: (id: DeviceId): TunnelConnection | undefined => tunnels.get(id),
    list: (): TunnelConnection[] => [...tunnels.values()],

    /**
     * A connection for a device that has just proved with this key who it is; it counts once its socket is open. It ends with
     * the session, and with the key; where either is over already, what the device is refused with.
     * @throws AppError `unavailable` (`shutting_down`).
     */
    async accept(
      peer: TunnelPeer,
      publicKey: string,
    ): Promise<TunnelConnection | 'unknown_device' | 'invalid'> {
      if (isClosing) throw shuttingDown();
      const tunnel = connection(peer);
      using attached = new DisposableStack();
      const attachment = ledger.attach(
        peer.sessionId,
        (reason) => {
          clones.forget(peer.deviceId);
          if (reason === 'replaced')
            return tunnel.end(CloseCode.goingAway, 'the key of this device was replaced');
          // Whoever goes away closes what is open too, and that is no reason to pair anew.
          if (isClosing) tunnel.end(CloseCode.goingAway, GOING_AWAY);
          else tunnel.end(CloseCode.revoked, 'this device is not paired any more');
        },
        publicKey,
      );
      attached.use(attachment);
      // What ended before it was attached told nobody; from here on it is told.
      const found = await ledger.recogniseDevice(peer.sessionId);
      if (!found.ok) return 'unknown_device';
      if (found.publicKey !== publicKey) return 'invalid';
      attachments.set(tunnel, attached.move());
      return tunnel;
    },

    /** What was accepted will never open. */
    abandon: (tunnel: TunnelConnection): void => attachments.get(tunnel)?.[Symbol.dispose](),

    /**
     * Opens a stream to a device for a visitor; it ends with the visitor's session and with the device's.
     * @throws AppError `offline` (`device_offline`), `unavailable` (`device_busy`), `too_many_requests` (`too_many_web_sockets`).
     */
    open(device: HubDevice, carried: Carried): OpenStream {
      const tunnel = tunnels.get(device.id);
      if (tunnel === undefined || !tunnel.isOpen) {
        metrics.carried(carried.kind, 'offline');
        throw offline(device);
      }
      if (carried.kind === 'websocket' && socketsOf(tunnel, carried.sessionId) >= deps.socketsPerSession) {
        metrics.carried(carried.kind, 'busy');
        throw tooManySockets();
      }
      const open = tunnel.open(carried);
      if (open === undefined) {
        metrics.carried(carried.kind, 'busy');
        throw busy();
      }
      open.holds(ledger.attach(carried.sessionId, () => open.cut('session_ended')));
      return open;
    },

    /** @throws AppError `offline` (`device_offline`). */
    requireConnected(device: HubDevice): void {
      if (tunnels.get(device.id)?.isOpen !== true) throw offline(device);
    },

    /** What is open in one tunnel ends; `false`: there is no such stream. */
    kill(id: DeviceId, streamId: number): boolean {
      const open = tunnels.get(id)?.streams.find(({ stream }) => stream.id === streamId);
      open?.cut('killed');
      return open !== undefined;
    },

    /** Ends a tunnel; its device dials again. `false`: there was none. */
    disconnect(id: DeviceId): boolean {
      const tunnel = tunnels.get(id);
      tunnel?.end(CloseCode.goingAway, 'ended by its owner');
      return tunnel !== undefined;
    },

    /** A round of heartbeats, and of looking for what waits in vain. */
    round(): void {
      for (const tunnel of tunnels.values()) tunnel.round();
    },

    /** Accepts no tunnel any more and ends each once its answers are through: their devices dial again. */
    close(): void {
      isClosing = true;
      for (const tunnel of tunnels.values()) tunnel.drain(CloseCode.goingAway, GOING_AWAY);
    },
  };
}

function endReason({ kind, code }: MuxEnd): TunnelEnd {
  if (kind !== 'local') return kind;
  switch (code) {
    case CloseCode.revoked:
      return 'revoked';
    case CloseCode.replaced:
      return 'replaced';
    case CloseCode.timeout:
      return 'silent';
    case CloseCode.goingAway:
      return 'going_away';
    default:
      return 'local';
  }
}

const busy = () =>
  new AppError('unavailable', 'device_busy', 'As much is open to this device as may be. Try again.', {
    retryAfterSeconds: BUSY_RETRY_SECONDS,
  });

function socketsOf({ streams }: TunnelConnection, sessionId: SessionId): number {
  return streams.filter(({ carried }) => carried.kind === 'websocket' && carried.sessionId === sessionId)
    .length;
}

const tooManySockets = () =>
  new AppError(
    'too_many_requests',
    'too_many_web_sockets',
    'As many WebSockets are open to this device as one session may have. Close one.',
    { retryAfterSeconds: BUSY_RETRY_SECONDS },
  );

const shuttingDown = () =>
  new AppError('unavailable', 'shutting_down', 'The server is going away. Try again.', {
    retryAfterSeconds: BUSY_RETRY_SECONDS,
  });
