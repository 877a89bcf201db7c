import type { Hub } from '../../src/devices/hub.ts';
import type { Device } from '../../src/devices/model.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { DEFAULT_MUX_LIMITS, type Mux } from '../../src/tunnel/model.ts';
import { openMux } from '../../src/tunnel/mux.ts';

/** Connects a device to the hub without a socket between them: both ends of the tunnel are real, and every stream stays open. */
export async function connectTunnel(hub: Hub, { id, sessionId, publicKey }: Device): Promise<Mux> {
  const peer = {
    deviceId: id,
    sessionId,
    address: '192.0.2.33',
    userAgent: 'postern-agent/1.0',
    instance: undefined,
  };
  const tunnel = await hub.accept(peer, publicKey);
  if (typeof tunnel === 'string') throw new Error('the hub did not take the tunnel');
  const later = (deliver: () => void) => queueMicrotask(deliver);
  const agent = openMux({
    role: 'client',
    transport: {
      send(frame) {
        const sent = frame.slice();
        later(() => tunnel.message(sent));
        return true;
      },
      close: (code, reason) => later(() => tunnel.closed(code, reason)),
    },
    clock: systemClock,
    limits: DEFAULT_MUX_LIMITS,
    onStream: () => undefined,
    onEnd: () => undefined,
  });
  tunnel.opened({
    sendBinary(frame) {
      const sent = frame.slice();
      later(() => agent.receive(sent));
      return sent.byteLength;
    },
    cork: (run) => run(),
    close: (code, reason) => later(() => agent.lost(code, reason)),
  });
  return agent;
}
