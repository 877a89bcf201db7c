import type { AuditAction, AuditDetail } from '../audit/model.ts';
import type { AuditRecorder } from '../audit/recorder.ts';
import type { Db } from '../db/open.ts';
import type { Tx } from '../db/write.ts';
import { AppError } from '../lib/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { newId, newSecret } from '../lib/random.ts';
import { guestLinkOf } from '../sessions/audience.ts';
import type { Issued, Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import { hashToken } from '../sessions/token.ts';
import type { Actor } from '../users/model.ts';
import type { ReachedDevice } from './access.ts';
import type { DeviceHostNames } from './access-hosts.ts';
import type { GuestLink, GuestLinkId, GuestLinkStore } from './store-guest-links.ts';

/** Where a guest's browser finds the page of a link, on the host of the service; the secret follows as the fragment. */
export const GUEST_PATH = '/.postern/guest';

export interface GuestLinksDeps {
  db: Db;
  store: GuestLinkStore;
  ledger: Pick<
    Ledger,
    'requireLive' | 'openGuestSession' | 'endGuestsIn' | 'list' | 'writeEnding' | 'whenEnding'
  >;
  audit: AuditRecorder;
  clock: Clock;
  /** Absent: devices have no hosts, so that no link could lead anywhere. */
  hosts: DeviceHostNames | undefined;
  /** Whether those hosts are https. */
  secure: boolean;
  maxLifetimeMs: number;
  maxPerDevice: number;
}

export interface GuestLinkRequest {
  service: string;
  label: string;
  lifetimeMs: number;
  maxUses: number;
}

/** A link with its address, which is told once. */
export interface MadeGuestLink {
  readonly link: GuestLink;
  readonly url: string;
}

/** Who makes a link: the person whose device it is, in a browser session. */
export type LinkMaker = Actor & { readonly sessionId: SessionId };

/** A guest who clicked. */
export interface GuestVisit {
  secret: string;
  device: ReachedDevice;
  service: string;
  /** The host that they are on. */
  host: string;
  address: string;
  userAgent: string | undefined;
}

export type GuestLinks = ReturnType<typeof guestLinks>;

/** Links by which somebody without an account reaches one service of one device, until an end. */
export function guestLinks(deps: GuestLinksDeps) {
  const { db, store, ledger, audit, clock, hosts } = deps;
  ledger.whenEnding((tx, ended) => store.deleteOfDeviceSessions(tx, ended));

  const record = (
    tx: Tx,
    action: AuditAction,
    link: GuestLink,
    by: Actor & { subjectUserId?: string; sessionId?: SessionId },
    more: AuditDetail = {},
  ) =>
    audit.record(tx, {
      at: clock.now(),
      action,
      outcome: 'success',
      actorUserId: by.userId,
      subjectUserId: by.subjectUserId,
      sessionId: by.sessionId,
      address: by.address,
      userAgent: by.userAgent,
      detail: { guest_link: link.id, device: link.deviceId, service: link.service, ...more },
    });

  const requireRoom = (tx: Tx, deviceId: string, now: number) => {
    if (store.countOf(tx, deviceId, now) < deps.maxPerDevice) return;
    throw new AppError(
      'unprocessable',
      'too_many_guest_links',
      `One device has at most ${deps.maxPerDevice} guest links; end one that is not needed any more.`,
    );
  };

  const requireLifetime = (lifetimeMs: number) => {
    if (lifetimeMs <= deps.maxLifetimeMs) return;
    throw new AppError(
      'unprocessable',
      'lifetime_too_long',
      `A guest link lives at most ${Math.floor(deps.maxLifetimeMs / 1_000)} seconds.`,
    );
  };

  return {
    /**
     * @throws AppError `unprocessable` (`no_device_hosts`, `lifetime_too_long`, `too_many_guest_links`),
     * `unauthorized` (`session_ended`) when the browser session that asks, or the device's own, ended meanwhile.
     */
    async make(device: ReachedDevice, request: GuestLinkRequest, by: LinkMaker): Promise<MadeGuestLink> {
      if (hosts === undefined) throw noDeviceHosts();
      requireLifetime(request.lifetimeMs);
      const { service, label, lifetimeMs, maxUses } = request;
      const secret = newSecret();
      const host = hosts.format({ service, handle: device.handle });
      return db.write((tx) => {
        ledger.requireLive(tx, by.sessionId);
        ledger.requireLive(tx, device.sessionId);
        const now = clock.now();
        requireRoom(tx, device.id, now);
        const made = {
          id: newId('gst') as GuestLinkId,
          deviceId: device.id,
          service,
          label,
          createdAt: now,
          expiresAt: now + lifetimeMs,
          maxUses,
        };
        store.insert(tx, { ...made, secretHash: hashToken(secret) });
        const link = { ...made, uses: 0, lastUsedAt: undefined };
        record(tx, 'guest_link.created', link, by);
        return { link, url: `${deps.secure ? 'https' : 'http'}://${host}${GUEST_PATH}#${secret}` };
      });
    },

    /** Those of a device that have not ended, oldest first. */
    list: (device: Pick<ReachedDevice, 'id'>): GuestLink[] => store.listOf(device.id, clock.now()),

    /** Ends a link and every session that began with it. `false`: the device has no such link. */
    async end(device: ReachedDevice, id: GuestLinkId, by: Actor): Promise<boolean> {
      const context = { reason: 'guest_link_ended', actorUserId: by.userId, address: by.address } as const;
      const sessions = (await ledger.list(device.userId)).filter((session) => guestLinkOf(session) === id);
      const targets = sessions.map((session) => ({ session: session.id, context }));
      return ledger.writeEnding(targets, (tx) => {
        const link = store.find(tx, id);
        if (link === undefined || link.deviceId !== device.id) return false;
        const { expiresAt } = link;
        ledger.endGuestsIn(tx, { parentId: device.sessionId, linkId: id, expiresAt }, context);
        store.delete(tx, id);
        record(tx, 'guest_link.ended', link, { ...by, subjectUserId: device.userId });
        return true;
      });
    },

    /**
     * Begins a guest's session, which acts as the person whose device it is, at this host alone, and ends with the link.
     * @throws AppError `gone` (`guest_link_not_good`) for a link that is unknown, used up, ended or of another host.
     */
    async redeem({ secret, device, service, host, address, userAgent }: GuestVisit): Promise<Issued> {
      const found = store.findByHash(hashToken(secret));
      if (found === undefined || found.deviceId !== device.id || found.service !== service) throw notGood();
      return db.write((tx) => {
        const link = store.use(tx, found.id, clock.now());
        if (link === undefined) throw notGood();
        const issued = ledger.openGuestSession(tx, {
          parentId: device.sessionId,
          linkId: link.id,
          host,
          expiresAt: link.expiresAt,
          origin: { provider: undefined, providerSid: undefined, address, userAgent },
        });
        const sessionId = issued.session.id;
        record(tx, 'guest_link.used', link, { address, userAgent, sessionId, subjectUserId: device.userId });
        return issued;
      });
    },

    reapTask: {
      name: 'guest_links',
      deleteExpired: (tx: Tx, now: number, limit: number) => store.deleteExpired(tx, now, limit),
    },
  };
}

const notGood = () =>
  new AppError('gone', 'guest_link_not_good', 'This link has ended, was used up, or leads elsewhere.');

const noDeviceHosts = () =>
  new AppError(
    'unprocessable',
    'no_device_hosts',
    'Devices have no hosts here, so that a link could lead nowhere; set devices.base.',
  );
