import { z } from 'zod';
import type { Role } from '../config/schema-node.ts';
import type { Db } from '../db/open.ts';
import type { Seat } from '../db/seats.ts';
import { toDeviceDto } from '../devices/dto.ts';
import { type Device, isDeviceId } from '../devices/model.ts';
import type { OpenDevices } from '../devices/open-devices.ts';
import type { PublicOrigin } from '../http/origin.ts';
import { CommandError } from '../lib/command-error.ts';
import { instantText } from '../lib/instant.ts';
import { nearest } from '../lib/nearest.ts';
import { showTypedCode } from '../lib/typed-code.ts';
import type { Keys } from '../ops/keys.ts';
import { toSessionFields } from '../sessions/dto-fields.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { SessionId } from '../sessions/model.ts';
import type { ReapReport } from '../sessions/reaper.ts';
import type { Invitations } from '../sign-in/invitations.ts';
import type { OpenUpstream } from '../upstream/open-upstream.ts';
import { toUserDto } from '../users/dto.ts';
import type { Actor, User, UserId } from '../users/model.ts';
import type { OpenPeople } from '../users/open-people.ts';
import type { UserStore } from '../users/store.ts';

/** What commands act on: of the running server, or opened for one command. */
export interface Services {
  db: Db;
  people: OpenPeople;
  invitations: Invitations;
  ledger: Ledger;
  reap: () => Promise<ReapReport>;
  upstream: Pick<OpenUpstream, 'rotate'>;
  devices: Pick<OpenDevices, 'devices' | 'pairings' | 'seen'>;
  /** The origin of `url`. */
  origin: Pick<PublicOrigin, 'origin'>;
  keys: Keys;
  /** What this process is called. */
  node: string;
  /** What it does for all. */
  seats: Readonly<Record<Role, Pick<Seat, 'isHere'>>>;
}

export interface Operation<Input extends z.ZodType, Output> {
  input: Input;
  /** Its output is plain data, the same whether it crossed the control socket or not. */
  run: (services: Services, input: z.output<Input>) => Promise<Output> | Output;
}

const operation = <Input extends z.ZodType, Output>(input: Input, run: Operation<Input, Output>['run']) => ({
  input,
  run,
});

/** Whoever may open the data directory may do everything; the audit row says so by naming nobody. */
const OPERATOR: Actor = {};

const nothing = z.strictObject({});
const role = z.enum(['owner', 'member'], { error: 'the role is owner or member' });
const oneUser = z.strictObject({ user: z.string() });
/** Devices too, when asked. */
const oneUserEnded = oneUser.extend({ devices: z.boolean().default(false) });

/** Every act that commands have in common with the running server, each written once. */
export const OPERATIONS = {
  'user.list': operation(nothing, ({ people }) => people.store.list().map(toUserDto)),

  'user.invite': operation(z.strictObject({ role }), async ({ invitations }, input) =>
    toLinkDto(await invitations.invite(input.role, OPERATOR)),
  ),

  'user.create': operation(
    z.strictObject({ username: z.string(), displayName: z.string().optional(), role }),
    ({ db, people, invitations }, input) =>
      // One act: nobody is left behind without the link that lets them in.
      db.write((tx) => {
        const user = people.acts.createLocal(tx, { ...input, by: OPERATOR, chosenByOperator: true });
        return { user: toUserDto(user), ...toLinkDto(invitations.issueResetIn(tx, user.id, OPERATOR)) };
      }),
  ),

  'user.disable': operation(oneUserEnded, async ({ people }, { user, devices }) =>
    toUserDto(await people.acts.disable(requireUser(people.store, user).id, OPERATOR, { devices })),
  ),

  'user.enable': operation(oneUser, async ({ people }, { user }) =>
    toUserDto(await people.acts.enable(requireUser(people.store, user).id, OPERATOR)),
  ),

  'user.remove': operation(oneUser, async ({ people }, { user }) => {
    const found = requireUser(people.store, user);
    await people.acts.remove(found.id, OPERATOR);
    return toUserDto(found);
  }),

  'user.set-role': operation(oneUser.extend({ role }), async ({ people }, { user, role }) =>
    toUserDto(await people.acts.setRole(requireUser(people.store, user).id, role, OPERATOR)),
  ),

  'user.reset-password': operation(oneUser, async ({ people, invitations }, { user }) => {
    const found = requireUser(people.store, user);
    return { user: toUserDto(found), ...toLinkDto(await invitations.issueReset(found.id, OPERATOR)) };
  }),

  'session.list': operation(oneUser.partial(), async ({ people, ledger }, { user }) => {
    const whose = user === undefined ? people.store.list() : [requireUser(people.store, user)];
    const rows = [];
    for (const { id, username } of whose) {
      for (const session of await ledger.list(id)) rows.push({ username, ...toSessionFields(session) });
    }
    return rows;
  }),

  'session.end': operation(z.strictObject({ session: z.string() }), async ({ ledger }, { session }) => {
    const ended = await ledger.end(session as SessionId, { reason: 'ended_by_owner' });
    if (!ended) throw new CommandError(`there is no live session "${session}"`);
  }),

  'session.end-all': operation(oneUserEnded, async ({ people, ledger }, { user, devices }) => {
    const { id, username } = requireUser(people.store, user);
    return { username, ended: await ledger.endAll(id, { reason: 'everywhere', devices }) };
  }),

  'device.list': operation(oneUser.partial(), ({ people, devices: { devices, seen } }, { user }) => {
    const names = new Map(people.store.list().map(({ id, username }) => [id, username]));
    const whose = user === undefined ? undefined : requireUser(people.store, user).id;
    return seen.list(devices.list(whose)).map(([device, what]) => ({
      username: names.get(device.userId) ?? device.userId,
      ...toDeviceDto(device, what),
    }));
  }),

  'device.pair': operation(oneUser.partial(), async ({ people, devices, origin }, { user }) => {
    const whose = user === undefined ? onlyUser(people.store) : requireUser(people.store, user);
    const { id, username } = whose;
    if (whose.status !== 'active') throw new CommandError(`${username} is disabled: no code of theirs works`);
    const { pairing, code, link } = await devices.pairings.create({ userId: id, sessionId: undefined });
    const expires_at = instantText(pairing.expiresAt);
    return { username, code: showTypedCode(code), link, server: origin.origin, expires_at };
  }),

  'device.unpair': operation(z.strictObject({ device: z.string() }), async ({ people, devices }, input) => {
    const device = requireDevice(devices.devices, input.device);
    if (!(await devices.devices.unpair(device, OPERATOR, 'ended_by_owner'))) throw noDevice(input.device);
    const username = people.store.find(device.userId)?.username ?? device.userId;
    return { handle: device.handle, username };
  }),

  reap: operation(nothing, ({ reap }) => reap()),

  rotate: operation(nothing, ({ upstream }) => upstream.rotate()),

  'keys.rotate': operation(nothing, ({ keys }) => keys.rotate()),

  'keys.reseal': operation(nothing, ({ keys }) => keys.reseal()),

  status: operation(nothing, ({ node, seats }) => ({
    node,
    roles: Object.entries(seats).flatMap(([role, { isHere }]) => (isHere ? [role] : [])),
  })),
};

export type OperationName = keyof typeof OPERATIONS;
export type InputOf<Name extends OperationName> = z.input<(typeof OPERATIONS)[Name]['input']>;
export type OutputOf<Name extends OperationName> = Awaited<ReturnType<(typeof OPERATIONS)[Name]['run']>>;

/**
 * Checks the input and performs one act.
 * @throws CommandError: exit 2 for an unknown act (a newer command asks an older server) or a wrong input; and what the act throws.
 */
export async function performOperation(services: Services, name: string, input: unknown): Promise<unknown> {
  const found = Object.entries(OPERATIONS).find(([known]) => known === name)?.[1];
  if (found === undefined)
    throw new CommandError('the running postern is of another version and cannot do this', 1);
  const { run } = found as Operation<z.ZodType, unknown>;
  return run(services, parseInput(found.input, input));
}

function parseInput(schema: z.ZodType, input: unknown): unknown {
  const { success, data, error } = schema.safeParse(input);
  if (success) return data;
  throw new CommandError(error.issues.map(({ message }) => message).join('; '), 2);
}

/** By id or username. @throws CommandError naming the nearest username when there is none. */
function requireUser(users: UserStore, text: string): User {
  const found = users.find(text as UserId) ?? users.findByUsername(text);
  if (found !== undefined) return found;
  const meant = nearest(
    text,
    users.list().map(({ username }) => username),
  );
  throw new CommandError(
    `there is no user "${text}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
  );
}

/** @throws CommandError unless it is clear who is meant. */
function onlyUser(users: UserStore): User {
  const [only, ...others] = users.list().filter(({ status }) => status === 'active');
  if (only !== undefined && others.length === 0) return only;
  throw new CommandError('say whose the device is to be: postern device pair USER', 2);
}

/** By id or handle. @throws CommandError naming the nearest handle when there is none. */
function requireDevice(devices: OpenDevices['devices'], text: string): Device {
  const found = isDeviceId(text) ? devices.find(text) : devices.findByHandle(text);
  if (found !== undefined) return found;
  throw noDevice(
    text,
    nearest(
      text,
      devices.list().map(({ handle }) => handle),
    ),
  );
}

const noDevice = (text: string, meant?: string) =>
  new CommandError(`there is no device "${text}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`);

function toLinkDto({ link, expiresAt }: { link: string; expiresAt: number }) {
  return { link, expires_at: instantText(expiresAt) };
}
