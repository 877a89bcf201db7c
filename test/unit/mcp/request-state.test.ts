import { describe, expect, test } from 'bun:test';
import { keyRing } from '../../../src/lib/key-ring.ts';
import { requestStates, type StateBinding } from '../../../src/mcp/request-state.ts';
import type { SessionId } from '../../../src/sessions/model.ts';

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);
const binding: StateBinding = { userId: 'usr_a', sessionId: 'ses_a' as SessionId, backend: 'notes' };
const parked = { generation: 3, issuedAt: 1_900_000_000_000 };

describe('a requestState', () => {
  const states = requestStates(keyRing([OLD]));

  test('is good for whom it was made', () => {
    const { state, nonce } = states.issue(binding, parked);
    expect(states.verify(state, binding)).toEqual({ nonce, ...parked });
  });

  test('is another each time, and says nothing of whom it is for', () => {
    const one = states.issue(binding, parked).state;
    expect(states.issue(binding, parked).state).not.toBe(one);
    expect(one).not.toContain('usr_a');
  });

  test.each<[string, StateBinding]>([
    ['user', { ...binding, userId: 'usr_b' }],
    ['grant', { ...binding, sessionId: 'ses_b' as SessionId }],
    ['backend', { ...binding, backend: 'files' }],
  ])('is good for no other %s', (_what, other) => {
    expect(states.verify(states.issue(binding, parked).state, other)).toBeUndefined();
  });

  test('does not take a change of any character', () => {
    const { state } = states.issue(binding, parked);
    for (let at = 0; at < state.length; at++) {
      const other = state[at] === 'A' ? 'B' : 'A';
      const changed = `${state.slice(0, at)}${other}${state.slice(at + 1)}`;
      // The last character of a MAC carries two bits that nobody reads.
      if (at < state.length - 1) expect(states.verify(changed, binding)).toBeUndefined();
    }
  });

  test.each(['', 'v1', 'v1....', 'v2.x', '\u0000', 'v1.a.1.1.b'])('is not %p', (text) => {
    expect(states.verify(text, binding)).toBeUndefined();
  });

  test('of the key before is still good', () => {
    const { state } = states.issue(binding, parked);
    expect(requestStates(keyRing([NEW, OLD])).verify(state, binding)).toBeDefined();
    expect(requestStates(keyRing([NEW])).verify(state, binding)).toBeUndefined();
  });
});
