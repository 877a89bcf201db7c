import type { AuditAction } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Tx } from '../db/write.ts';
import type { Clock } from '../lib/clock.ts';
import type { Device, DeviceOrigin } from './model.ts';

/** Writes what a device did, with the act itself. */
export type RecordOwnAct = (tx: Tx, action: AuditAction, device: Device, from: DeviceOrigin) => void;

export function ownActs({ audit, clock }: { audit: AuditRecorder; clock: Clock }): RecordOwnAct {
  return (tx, action, { id, userId, sessionId }, { address, userAgent }) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      subjectUserId: userId,
      sessionId,
      address,
      userAgent,
      detail: { device: id },
    });
}
