import type { AuditRecorder } from '../audit/recorder.ts';
import { auditRoutes } from '../audit/routes.ts';
import type { AuditStore } from '../audit/store.ts';
import type { ConnectedApps } from '../authorization-server/connected-apps.ts';
import { connectedAppRoutes } from '../authorization-server/routes-apps.ts';
import type { RoleGuard } from '../db/role-guard.ts';
import type { DeviceApiAccess } from '../devices/guard-signed.ts';
import type { GuestLinks } from '../devices/guest-links.ts';
import type { Hub } from '../devices/hub.ts';
import type { OpenDevices } from '../devices/open-devices.ts';
import { deviceApiRoutes } from '../devices/routes.ts';
import type { ApiRoute } from '../http/api-route.ts';
import type { PublicOrigin } from '../http/origin.ts';
import type { Clock } from '../lib/clock.ts';
import type { SessionEventStreams } from '../sessions/events-streams.ts';
import { apiAccess, type SessionGuard } from '../sessions/guard.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { PersonalTokens } from '../sessions/personal-tokens.ts';
import { sessionRoutes } from '../sessions/routes.ts';
import { eventRoutes } from '../sessions/routes-events.ts';
import { tokenRoutes } from '../sessions/routes-tokens.ts';
import { userSessionRoutes } from '../sessions/routes-users.ts';
import type { Invitations } from '../sign-in/invitations.ts';
import { invitationRoutes } from '../sign-in/routes-invitations.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import { linkRoutes } from '../upstream/routes-links.ts';
import type { OpenPeople } from '../users/open-people.ts';
import { userRoutes } from '../users/routes.ts';

export interface ApiRoutesDeps {
  /** The origin of `url`. */
  origin: PublicOrigin;
  guard: SessionGuard;
  ledger: Ledger;
  streams: SessionEventStreams;
  tokens: PersonalTokens;
  connectedApps: ConnectedApps;
  people: Pick<OpenPeople, 'acts' | 'store'>;
  invitations: Invitations;
  auditStore: AuditStore;
  upstream: Pick<OpenUpstream, 'accounts' | 'linking' | 'secrets' | 'tokens'>;
  devices: OpenDevices;
  deviceReach: { readonly links: GuestLinks };
  deviceGuard: { readonly access: DeviceApiAccess };
  hub: Hub;
  hubRole: RoleGuard;
  audit: AuditRecorder;
  clock: Clock;
}

/** Everything that `/api/v1` serves and `/openapi.json` describes. */
export function apiRoutes(deps: ApiRoutesDeps): ApiRoute[] {
  const { origin, guard, ledger, streams, tokens, people, invitations, auditStore, upstream } = deps;
  const access = apiAccess(guard);
  return [
    ...sessionRoutes({ ledger, access, origin }),
    ...eventRoutes({ streams, access }),
    ...tokenRoutes({ tokens, access }),
    ...auditRoutes({ store: auditStore, access: access.scoped('audit:read') }),
    ...userRoutes({ people: people.acts, store: people.store, owner: access.owner }),
    ...userSessionRoutes({ ledger, access, users: people.store }),
    ...invitationRoutes({ invitations, access }),
    ...linkRoutes({ upstream, access }),
    ...connectedAppRoutes({ apps: deps.connectedApps, access }),
    ...deviceApiRoutes({
      devices: deps.devices,
      guestLinks: deps.deviceReach.links,
      access,
      deviceAccess: deps.deviceGuard.access,
      users: people.store,
      hub: deps.hub,
      hubRole: deps.hubRole,
      audit: deps.audit,
      clock: deps.clock,
    }),
  ];
}
