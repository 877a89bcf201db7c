import { describe, expect, test } from 'bun:test';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pairing } from '../../../src/agent/model.ts';
import { makeState, openState } from '../../../src/agent/state.ts';
import { temporaryDirectory } from '../../support/database.ts';

const PAIRING: Pairing = {
  server: 'https://auth.example.com',
  deviceId: 'dev_x',
  handle: 'pi',
  name: 'Pi',
  sessionId: 'ses_x',
  sessionToken: 'pstd_secret',
  tunnelUrl: 'wss://auth.example.com/api/v1/device/tunnel',
  pairedAt: 1_800_000_000_000,
  ended: undefined,
};

const mode = (path: string) => statSync(path).mode & 0o777;

describe('what an agent keeps', () => {
  test('is for its owner alone: a directory of 0700, files of 0600, and nothing besides', () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'deep', 'agent');
    const state = makeState(path);
    state.key();
    state.writePairing(PAIRING);
    expect(mode(path)).toBe(0o700);
    expect(readdirSync(path).toSorted()).toEqual(['device.json', 'key']);
    expect([mode(join(path, 'key')), mode(join(path, 'device.json'))]).toEqual([0o600, 0o600]);
  });

  test('comes back as it was', () => {
    using directory = temporaryDirectory();
    const state = makeState(join(directory.path, 'agent'));
    const key = state.key();
    const ended = { at: 1_800_000_001_000, code: 'session_ended' };
    state.writePairing({ ...PAIRING, ended });
    const again = openState(state.directory);
    expect(again.key().publicKey).toBe(key.publicKey);
    expect(again.pairing()).toEqual({ ...PAIRING, ended });
    expect(again.renewKey().publicKey).not.toBe(key.publicKey);
    again.forget();
    expect([again.pairing(), readdirSync(state.directory)]).toEqual([undefined, []]);
  });

  test('a directory that others may look into is shut', () => {
    using directory = temporaryDirectory();
    const state = makeState(join(directory.path, 'agent'));
    chmodSync(state.directory, 0o755);
    openState(state.directory);
    expect(mode(state.directory)).toBe(0o700);
  });

  test.each([
    ['key', 'short', 'holds no key'],
    ['device.json', '{', 'is damaged'],
    ['device.json', '{"version":2}', 'is damaged'],
    ['device.json', '\0'.repeat(100), 'is damaged'],
  ])('a damaged %s is said to be one', (file, text, complaint) => {
    using directory = temporaryDirectory();
    const state = makeState(join(directory.path, 'agent'));
    writeFileSync(join(state.directory, file), text);
    const read = () => (file === 'key' ? state.key() : state.pairing());
    expect(read).toThrow(complaint);
    expect(readFileSync(join(state.directory, file), 'utf8')).toBe(text);
  });

  test('no directory, or a file in its place', () => {
    using directory = temporaryDirectory();
    expect(() => openState(join(directory.path, 'none'))).toThrow('has not joined');
    writeFileSync(join(directory.path, 'file'), '');
    expect(() => makeState(join(directory.path, 'file'))).toThrow('is not a directory');
    expect(() => makeState(join(directory.path, 'file', 'below'))).toThrow('cannot be made');
  });
});
