import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSelfSigned } from '../../../src/http/certificate.ts';
import { tlsFromFiles } from '../../../src/http/tls-files.ts';
import { checkMaterial, type TlsMaterial } from '../../../src/http/tls-source.ts';
import { CommandError } from '../../../src/lib/command-error.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { recordedLog } from '../../support/silent-log.ts';

const LOOK_MS = 10_000;
const newMaterial = () =>
  makeSelfSigned({ names: ['localhost'], notBefore: 0, notAfter: Date.UTC(2040, 0, 1) });

function setUp(material: TlsMaterial = newMaterial()) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'));
  const paths = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const write = ({ cert, key }: Partial<TlsMaterial>) => {
    if (cert !== undefined) writeFileSync(paths.cert, cert);
    if (key !== undefined) writeFileSync(paths.key, key);
  };
  write(material);
  const clock = new ManualClock();
  const log = recordedLog();
  const applied: TlsMaterial[] = [];
  const open = () => {
    const source = tlsFromFiles({ ...paths, clock, log });
    source.onChange((each) => applied.push(each));
    return source;
  };
  const warnings = () => log.lines.filter(({ level }) => level === 'warn');
  return {
    paths,
    write,
    clock,
    applied,
    open,
    warnings,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

describe('certificate files', () => {
  test('are taken when both have changed', async () => {
    const [first, second] = [newMaterial(), newMaterial()];
    using files = setUp(first);
    await using source = files.open();
    expect(source.current).toEqual(first);
    files.write(second);
    await files.clock.advance(LOOK_MS);
    expect(files.applied).toEqual([second]);
    expect(source.current).toEqual(second);
    expect(source.fingerprint).toBe(checkMaterial(second).fingerprint256);
  });

  test('stay while they are half written, which is said once', async () => {
    const [first, second] = [newMaterial(), newMaterial()];
    using files = setUp(first);
    await using source = files.open();
    files.write({ cert: second.cert });
    await files.clock.advance(5 * LOOK_MS);
    expect(files.applied).toEqual([]);
    expect(files.warnings()).toHaveLength(1);
    files.write({ key: second.key });
    await files.clock.advance(LOOK_MS);
    expect(source.current).toEqual(second);
  });

  test.each([
    ['rubbish', { cert: 'rubbish', key: 'rubbish' }],
    ['no key', { key: '' }],
    ['another key', { key: newMaterial().key }],
  ])('stay when the new ones are no good: %s', async (_what, broken) => {
    const first = newMaterial();
    using files = setUp(first);
    await using source = files.open();
    files.write(broken);
    await files.clock.advance(LOOK_MS);
    expect(source.current).toEqual(first);
    expect(files.warnings()).toHaveLength(1);
  });

  test('stay when the new ones are gone', async () => {
    using files = setUp();
    await using source = files.open();
    rmSync(files.paths.key);
    await files.clock.advance(3 * LOOK_MS);
    expect(files.applied).toEqual([]);
    expect(files.warnings()).toHaveLength(1);
    expect(source.current.key).toContain('PRIVATE KEY');
  });

  test('that are no good at the start end it, without a word of what is in them', () => {
    using files = setUp({ cert: 'BEGIN secret', key: 'hunter2' });
    expect(files.open).toThrow(CommandError);
    expect(files.open).toThrow(/certificate/);
    expect(files.open).not.toThrow(/secret|hunter2/);
    expect(() =>
      tlsFromFiles({ cert: '/nowhere', key: '/nowhere', clock: files.clock, log: recordedLog() }),
    ).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});
