import { describe, expect, test } from 'bun:test';
import { takeConfigFlags } from '../../../src/config/flags.ts';
import { configDirectory } from '../../support/config-directory.ts';

describe('flags', () => {
  test.each([
    [['--sessions.cache-size', '5'], { sessions: { cache_size: 5 } }],
    [['--sessions.cache_size=5'], { sessions: { cache_size: 5 } }],
    [['--listen=127.0.0.1:1'], { listen: '127.0.0.1:1' }],
    [['--demo'], { demo: true }],
    [['--demo', '--listen', '127.0.0.1:1'], { demo: true, listen: '127.0.0.1:1' }],
    [['--demo=false'], { demo: false }],
    [['--demo', 'false'], { demo: false }],
    [['--data-dir', '/x=y'], { data_dir: '/x=y' }],
    [['--data-dir=/x=y'], { data_dir: '/x=y' }],
    [['--trusted-proxies', '10.0.0.1,10.0.0.2'], { trusted_proxies: ['10.0.0.1', '10.0.0.2'] }],
  ])('%j', (argv, expected) => {
    using directory = configDirectory();
    expect(directory.load({ argv })).toMatchObject(expected);
  });

  test.each([
    [['--lisen=x'], '--lisen', 'no key has this name', '--listen'],
    [['--session.cache-size', '5'], '--session.cache-size', 'no key has this name', '--sessions.cache-size'],
    [['--confg', 'x'], '--confg', 'no key has this name', '--config'],
    [
      ['--provider.home.isuer', 'x'],
      '--provider.home.isuer',
      'no key has this name',
      '--provider.home.issuer',
    ],
    [['--provider.*.issuer', 'x'], '--provider.*.issuer', 'no key has this name', undefined],
    [['--provider.home.name', 'x'], '--provider.home.name', 'no key has this name', undefined],
    [['--forward-auth.rule.0.host', 'x'], '--forward-auth.rule.0.host', 'no key has this name', undefined],
    [['--__proto__', 'x'], '--__proto__', 'no key has this name', undefined],
    [['--secret', 'hush'], 'secret', 'not for the command line', undefined],
    [['--previous-secrets=hush'], 'previous_secrets', 'not for the command line', undefined],
    [
      ['--provider.home.client-secret', 'hush'],
      'provider.home.client_secret',
      'not for the command line',
      undefined,
    ],
    [['--listen'], 'listen', 'a value after it', undefined],
    [['--config'], '--config', 'a value after it', undefined],
    [['--listen', '--demo'], 'listen', 'a value after it', undefined],
    [['--demo', '--demo'], 'demo', 'given twice', undefined],
    [['--data-dir', 'a', '--data_dir', 'b'], 'data_dir', 'given twice', undefined],
    [['--config', 'postern.toml', '--config=x'], '--config', 'given twice', undefined],
    [['hush'], 'word 1 of the command line', 'expected a flag', undefined],
    [['--demo', '--'], 'word 2 of the command line', 'expected a flag', undefined],
    [['--demo', '-x'], 'word 2 of the command line', 'expected a flag', undefined],
  ])('%j is refused', (argv, key, expected, nearest) => {
    using directory = configDirectory('');
    const error = directory.refusal({ argv });
    expect(error.problems).toHaveLength(1);
    expect(error.problems[0]).toMatchObject({ key, found: undefined });
    expect(error.problems[0]?.expected).toContain(expected);
    if (nearest !== undefined) expect(error.problems[0]?.nearest).toBe(nearest);
    expect(error.message).not.toContain('hush');
  });
});

describe('a command line is parted', () => {
  test.each([
    [[], [], []],
    [
      ['--data-dir', 'x', '--json', 'ada'],
      ['--data-dir', 'x'],
      ['--json', 'ada'],
    ],
    [
      ['ada', '--role', 'owner', '--config=c', '--demo'],
      ['--config=c', '--demo'],
      ['ada', '--role', 'owner'],
    ],
    [['--nonsense', '--listen', '127.0.0.1:1'], ['--listen', '127.0.0.1:1'], ['--nonsense']],
    [
      ['--listen', 'x', '--', '--listen', 'y'],
      ['--listen', 'x'],
      ['--', '--listen', 'y'],
    ],
    [
      ['--url', 'x', '--listen', 'y'],
      ['--listen', 'y'],
      ['--url', 'x'],
    ],
  ])('%j', (argv, flags, rest) => {
    expect(takeConfigFlags(argv, new Set(['url']))).toEqual({ flags, rest });
  });
});
