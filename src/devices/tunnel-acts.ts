import type { AuditAction } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionId } from '../sessions/model.ts';
import type { Actor } from '../users/model.ts';
import type { Hub } from './hub.ts';
import type { Device } from './model.ts';

export interface TunnelActsDeps {
  hub: Pick<Hub, 'kill' | 'disconnect'>;
  hubRole: RoleGuard;
  audit: AuditRecorder;
  clock: Clock;
}

type By = Actor & { readonly sessionId: SessionId };

export type TunnelActs = ReturnType<typeof tunnelActs>;

/** What a person does to the tunnel of a device, with its audit rows. */
export function tunnelActs({ hub, hubRole, audit, clock }: TunnelActsDeps) {
  const note = (action: AuditAction, device: Device, by: By) =>
    audit.note({
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId: by.userId,
      subjectUserId: device.userId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { device: device.id },
    });

  return {
    /** Ends the tunnel; the device dials again. `false`: there is none. @throws AppError where another node has the tunnels. */
    endTunnel(device: Device, by: By): boolean {
      hubRole.require();
      if (!hub.disconnect(device.id)) return false;
      note('device.tunnel_ended', device, by);
      return true;
    },

    /** Ends one stream in it. `false`: there is no such stream. @throws AppError where another node has the tunnels. */
    endStream(device: Device, streamId: number, by: By): boolean {
      hubRole.require();
      if (!hub.kill(device.id, streamId)) return false;
      note('device.stream_ended', device, by);
      return true;
    },
  };
}
