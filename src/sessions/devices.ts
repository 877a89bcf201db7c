import { afterCommit, type Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { DEVICE_AUDIENCE, guestLinkAudience, hostAudience } from './audience.ts';
import { blankSession, type Issue } from './issue.ts';
import type { Ledger, NewDeviceSession, NewGuestSession } from './ledger.ts';
import type { RevokeReason, Session, SessionId } from './model.ts';
import type { DeviceSessionStore } from './store-devices.ts';
import { hashToken, type TokenMint } from './token.ts';
import type { Touches } from './touches.ts';

export interface DeviceSessionsDeps {
  devices: DeviceSessionStore;
  issue: Issue;
  mint: TokenMint;
  touches: Touches;
  clock: Clock;
  /** Idle timeout of browser sessions. */
  idleTimeoutMs: number;
  /** What a session is recognised by changed: what is cached of it is forgotten after the commit, by every process. */
  changed: (tx: Tx, id: SessionId) => void;
  /** Closes what lives with a session. */
  closeLive: (id: SessionId, reason: RevokeReason) => void;
}

type DeviceSessions = Pick<
  Ledger,
  'openDevice' | 'replaceDeviceToken' | 'changeDeviceKey' | 'renameDevice' | 'openGuestSession' | 'touch'
>;

/** Sessions of devices, and of the guests that a device has. */
export function deviceSessions(deps: DeviceSessionsDeps): DeviceSessions {
  const { devices, mint, clock, changed } = deps;
  const { issue, requireActiveUser, requireLive } = deps.issue;

  const requireDevice = (tx: Tx, id: SessionId): Session => {
    const session = requireLive(tx, id);
    if (session.kind !== 'device')
      throw new AppError('forbidden', 'not_a_device', 'Only the session of a device can do this.');
    return session;
  };

  return {
    openDevice(tx, { userId, issuedBy, deviceId, clientPublicKey, label, origin }: NewDeviceSession) {
      requireActiveUser(tx, userId);
      if (issuedBy !== undefined) requireLive(tx, issuedBy);
      const session: Session = {
        ...blankSession(userId, clock.now()),
        kind: 'device',
        audience: [DEVICE_AUDIENCE],
        origin,
        label,
        deviceId,
        clientPublicKey,
      };
      return issue(tx, session, 'device');
    },

    replaceDeviceToken(tx, id) {
      requireDevice(tx, id);
      const token = mint.mint('device');
      devices.replaceToken(tx, { sessionId: id, hash: hashToken(token) });
      changed(tx, id);
      return token;
    },

    changeDeviceKey(tx, id, publicKey) {
      requireDevice(tx, id);
      devices.changeKey(tx, id, publicKey);
      changed(tx, id);
      afterCommit(tx, () => deps.closeLive(id, 'replaced'));
    },

    renameDevice: (tx, id, label) => devices.rename(tx, id, label),

    openGuestSession(tx, { parentId, linkId, host, expiresAt, origin }: NewGuestSession) {
      const { userId } = requireDevice(tx, parentId);
      requireActiveUser(tx, userId);
      const session: Session = {
        ...blankSession(userId, clock.now()),
        kind: 'user',
        parentId,
        audience: [hostAudience(host), guestLinkAudience(linkId)],
        idleTimeoutMs: deps.idleTimeoutMs,
        expiresAt,
        origin,
      };
      return issue(tx, session, 'cookie');
    },

    touch: (id) => deps.touches.record(id, clock.now()),
  };
}
