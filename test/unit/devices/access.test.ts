import { describe, expect, test } from 'bun:test';
import type { DeviceRuleConfig } from '../../../src/config/schema.ts';
import { deviceAccess, type ReachedDevice } from '../../../src/devices/access.ts';
import type { SessionId } from '../../../src/sessions/model.ts';
import type { User, UserId } from '../../../src/users/model.ts';

const ALICE = person('alice', { role: 'owner' });
const BOB = person('bob', { groups: ['family'] });
const CAROL = person('carol', { email: 'carol@example.com' });

const PI: ReachedDevice = {
  id: 'dev_pi',
  handle: 'pi',
  userId: BOB.id,
  sessionId: 'ses_pi' as SessionId,
  labels: { room: 'kitchen', kind: 'camera' },
};

/** Who of the three reaches `web` of the device, by one rule. */
function reachedBy(rule: DeviceRuleConfig | undefined, service = 'web', device = PI): string[] {
  const access = deviceAccess({
    rules: rule === undefined ? [] : [rule],
    subjectsOf: (id) => (id === CAROL.id ? ['4711'] : []),
  });
  return [ALICE, BOB, CAROL]
    .filter((user) => access.mayReach(user, device, service))
    .map((user) => user.username);
}

describe('a device is reached', () => {
  test('by whoever paired it, and nobody else without a rule; owners of the site are no exception', () => {
    expect(reachedBy(undefined)).toEqual(['bob']);
  });

  test.each<[string, DeviceRuleConfig, string[]]>([
    ['everyone', { device: 'pi', allow: 'everyone' }, ['alice', 'bob', 'carol']],
    ['owners', { device: 'pi', allow: 'owners' }, ['alice', 'bob']],
    [
      'people of a list',
      { device: 'pi', allow: people({ emails: ['carol@example.com'] }) },
      ['bob', 'carol'],
    ],
    ['subjects', { device: 'pi', allow: people({ subjects: ['4711'] }) }, ['bob', 'carol']],
    ['every device', { device: '*', allow: 'owners' }, ['alice', 'bob']],
    ['a label', { labels: { room: 'kitchen' }, allow: 'owners' }, ['alice', 'bob']],
    ['all labels', { labels: { room: 'kitchen', kind: 'camera' }, allow: 'owners' }, ['alice', 'bob']],
    ['handle and label', { device: 'pi', labels: { kind: 'camera' }, allow: 'owners' }, ['alice', 'bob']],
    ['its service', { device: 'pi', services: ['ssh', 'web'], allow: 'owners' }, ['alice', 'bob']],
  ])('by a rule: %s', (_what, rule, reached) => {
    expect(reachedBy(rule)).toEqual(reached);
  });

  test.each<[string, DeviceRuleConfig]>([
    ['another handle', { device: 'pi2', allow: 'everyone' }],
    ['the beginning of its handle', { device: 'p', allow: 'everyone' }],
    ['another value of a label', { labels: { room: 'bath' }, allow: 'everyone' }],
    ['one of several labels', { labels: { room: 'kitchen', kind: 'lamp' }, allow: 'everyone' }],
    ['a label it lacks', { labels: { floor: '1' }, allow: 'everyone' }],
    ['a label that every object has', { labels: { constructor: 'x' }, allow: 'everyone' }],
    ['its handle with another label', { device: 'pi', labels: { room: 'bath' }, allow: 'everyone' }],
    ['another service', { device: 'pi', services: ['ssh'], allow: 'everyone' }],
  ])('by nobody more for a rule with %s', (_what, rule) => {
    expect(reachedBy(rule)).toEqual(['bob']);
  });

  test('by a rule for the handle, whoever bears it by then', () => {
    const other = { ...PI, id: 'dev_other', userId: ALICE.id };
    expect(reachedBy({ device: 'pi', allow: people({ groups: ['family'] }) }, 'web', other)).toEqual([
      'alice',
      'bob',
    ]);
  });
});

function people(some: Partial<Exclude<DeviceRuleConfig['allow'], string>>) {
  return { subjects: [], emails: [], domains: [], groups: [], ...some };
}

function person(username: string, more: Partial<User>): User {
  return {
    id: `usr_${username}` as UserId,
    username,
    displayName: username,
    email: undefined,
    groups: [],
    role: 'member',
    status: 'active',
    endedBefore: undefined,
    createdAt: 0,
    lastSignInAt: undefined,
    ...more,
  };
}
