import { openDeviceGuard } from '../../src/devices/guard-open.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { setRequestContext } from '../../src/http/request-context.ts';
import { newId } from '../../src/lib/random.ts';
import type { SessionId, SessionToken } from '../../src/sessions/model.ts';
import { type DeviceKey, newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import type { UserId } from '../../src/users/model.ts';
import { TEST_ORIGIN, type TemporaryLedger, type TemporaryLedgerOptions, temporaryLedger } from './ledger.ts';
import { ManualClock } from './manual-clock.ts';
import type { Signing } from './signed-request.ts';

const ORIGIN = parseOrigin(TEST_ORIGIN);
export const RELAY_HOST = 'relay.example.test';

/** A device that is paired, as far as the ledger knows. */
export interface PairedDevice {
  key: DeviceKey;
  deviceId: string;
  sessionId: SessionId;
  token: SessionToken;
  userId: UserId;
}

export interface TemporaryDeviceGuard extends AsyncDisposable {
  base: TemporaryLedger;
  clock: ManualClock;
  open: ReturnType<typeof openDeviceGuard>;
  pair(key?: DeviceKey): Promise<PairedDevice>;
  /** How this device signs now. */
  signing(device: PairedDevice, origin?: string): Signing;
  /** What the guard makes of a request: the id of the device, or the code it is refused with. */
  verdict(request: Request): Promise<string>;
  /** A later life of the appliance, over the same ledger. */
  restart(): void;
  /** One of several processes over the same ledger, that remember nonces together; `verdict` asks the one that is `open`. */
  openShared(shared: SharedNonces): OpenGuard;
}

type OpenGuard = ReturnType<typeof openDeviceGuard>;
type SharedNonces = Parameters<typeof openDeviceGuard>[0]['shared'];

interface TemporaryDeviceGuardOptions extends TemporaryLedgerOptions {
  devices?: Partial<TemporaryLedger['config']['devices']>;
}

/** The guard of signed requests over a ledger of its own. */
export function temporaryDeviceGuard({
  devices,
  ...options
}: TemporaryDeviceGuardOptions = {}): TemporaryDeviceGuard {
  const clock = new ManualClock();
  const base = temporaryLedger({ clock, ...options });
  const openGuard = (shared?: SharedNonces) =>
    openDeviceGuard({
      shared,
      config: { ...base.config.devices, ...devices },
      db: base.db,
      ledger: base.ledger,
      origin: ORIGIN,
      authorities: [ORIGIN.host, RELAY_HOST],
      maxBodyBytes: 4_096,
      audit: base.audit,
      metrics: base.metrics,
      clock,
    });
  const guard: TemporaryDeviceGuard = {
    base,
    clock,
    open: openGuard(),

    async pair(key = newDeviceKey()) {
      const userId = await base.addUser();
      const issuedBy = (await base.signIn(userId)).session.id;
      const deviceId = newId('dev');
      const issued = await base.db.write((tx) =>
        base.ledger.openDevice(tx, {
          userId,
          issuedBy,
          deviceId,
          clientPublicKey: key.publicKey,
          label: 'board',
          origin: { provider: undefined, providerSid: undefined, address: '192.0.2.7', userAgent: 'test' },
        }),
      );
      return { key, deviceId, sessionId: issued.session.id, token: issued.token, userId };
    },

    signing: ({ key, sessionId }, origin = TEST_ORIGIN) => ({ key, sessionId, origin, now: clock.now() }),

    async verdict(request) {
      setRequestContext(request, {
        id: 'req_test',
        address: '192.0.2.7',
        peerTrusted: false,
        userAgent: undefined,
      });
      try {
        return (await guard.open.guard.signedDevice(request)).deviceId;
      } catch (error) {
        if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
        throw error;
      }
    },

    restart() {
      guard.open = openGuard();
    },

    openShared: openGuard,

    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
  };
  return guard;
}
