import type { AuditStore } from '../audit/store.ts';
import type { ConnectedApps } from '../authorization-server/connected-apps.ts';
import type { DeviceRequests } from '../authorization-server/device-requests.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import type { OpenDeviceAccess } from '../devices/guard-access.ts';
import type { Hub } from '../devices/hub.ts';
import type { OpenDevices } from '../devices/open-devices.ts';
import type { TunnelActs } from '../devices/tunnel-acts.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionGuard } from '../sessions/guard.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { PersonalTokens } from '../sessions/personal-tokens.ts';
import type { AttemptCookies } from '../sign-in/guard.ts';
import type { LocalSignInFeature } from '../sign-in/open-local.ts';
import type { Provider } from '../sign-in/provider.ts';
import type { SignInService } from '../sign-in/service.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import type { User } from '../users/model.ts';
import type { OpenPeople } from '../users/open-people.ts';
import type { TypedCodes } from './typed-codes.ts';

/** What the pages stand on. */
export interface WebDeps {
  clock: Clock;
  /** The origin of `url`. */
  origin: PublicOrigin;
  guard: SessionGuard;
  ledger: Ledger;
  people: OpenPeople;
  local: LocalSignInFeature;
  /** In the order of the configuration. */
  providers: readonly Pick<Provider, 'name' | 'label' | 'isAvailable'>[];
  signIns: Pick<SignInService, 'begin'>;
  attemptCookies: AttemptCookies;
  tokens: PersonalTokens;
  connectedApps: ConnectedApps;
  deviceRequests: DeviceRequests;
  typedCodes: TypedCodes;
  devices: OpenDevices;
  deviceReach: Pick<OpenDeviceAccess, 'links' | 'hostOf'>;
  hub: Pick<Hub, 'find'>;
  hubRole: RoleGuard;
  brokerRole: RoleGuard;
  tunnelActs: TunnelActs;
  upstream: Pick<OpenUpstream, 'accounts' | 'linking' | 'secrets' | 'tokens'>;
  auditStore: AuditStore;
  /** Hosts that rules of forward-auth name, with their ports unless those are the scheme's own. */
  protectedHosts: readonly string[];
  /** Addresses of the protected apps whose start page this person may open. */
  appsOf: (user: User) => readonly string[];
  /** The handle of a live device, by its id. */
  deviceHandle: (id: string) => string | undefined;
  /** Whether a URL is on a host that sign-in may lead back to. */
  isReturnTarget: (url: URL) => boolean;
  /** Where people land without a deep link: a path. */
  landing: string;
  /** Life of the session cookie. */
  absoluteLifetimeMs: number;
  /** Longest life of a personal token. */
  tokenMaxLifetimeMs: number;
}
