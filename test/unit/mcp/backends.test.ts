import { describe, expect, test } from 'bun:test';
import { compileBackends, isStdio, needsIsolation } from '../../../src/mcp/backends.ts';
import { configDirectory } from '../../support/config-directory.ts';
import { aPerson } from '../../support/person.ts';

const ORIGIN = 'https://auth.example.com';

function compiled(toml: string) {
  using directory = configDirectory(toml);
  return compileBackends(directory.load(), { origin: ORIGIN, subjectsOf: () => ['4711'] });
}

describe('without configuration', () => {
  test('there is whoami, for everybody, which is not isolated', () => {
    const [backend, ...others] = compiled('');
    expect(others).toEqual([]);
    expect(backend).toMatchObject({
      name: 'whoami',
      resource: `${ORIGIN}/mcp/whoami`,
      scope: 'mcp:whoami',
      transport: { kind: 'stdio', isolation: 'exempt' },
    });
    expect(backend?.mayUse(aPerson())).toBe(true);
    expect(needsIsolation(compiled(''))).toBe(false);
  });
});

describe('a configured backend', () => {
  const files = (lines: string) => `[[mcp]]\nname = "files"\n${lines}\n`;

  test('with a command', () => {
    const [backend] = compiled(
      files('command = ["mcp-files", "/srv"]\nallow = "everyone"\ntools = { deny = ["rm"] }'),
    );
    expect(backend).toMatchObject({
      resource: `${ORIGIN}/mcp/files`,
      scope: 'mcp:files',
      provider: undefined,
      sharing: 'grant',
      tools: { allow: undefined, deny: ['rm'] },
      messageBytes: 4_194_304,
      limits: { childrenPerUser: 8, children: 100, queue: 1_000, startTimeoutMs: 60_000 },
      transport: { kind: 'stdio', argv: ['mcp-files', '/srv'], env: {}, isolation: 'auto', cache: undefined },
    });
    expect(backend !== undefined && isStdio(backend) && needsIsolation([backend])).toBe(true);
  });

  test('elsewhere', () => {
    const backends = compiled(
      files(
        'url = "https://mcp.example.com/mcp"\nallow = "owners"\nheaders = { Authorization = "Bearer x" }',
      ),
    );
    expect(backends[0]?.transport).toEqual({
      kind: 'http',
      url: 'https://mcp.example.com/mcp',
      headers: { Authorization: 'Bearer x' },
    });
    expect(needsIsolation(backends)).toBe(false);
    expect(backends[0]?.mayUse(aPerson({ role: 'owner' }))).toBe(true);
    expect(backends[0]?.mayUse(aPerson())).toBe(false);
  });

  test.each([
    ['subjects = ["4711"]', true],
    ['subjects = ["4712"]', false],
    ['emails = ["ada@example.com"]', true],
    ['groups = ["family"]', true],
    ['groups = ["work"]', false],
  ])('is for people by %s: %p', (rule, expected) => {
    const [backend] = compiled(files(`command = ["x"]\nallow = { ${rule} }`));
    expect(backend?.mayUse(aPerson({ email: 'ada@example.com', groups: ['family'] }))).toBe(expected);
  });

  test('a program with a slash is found from the working directory, whatever the working directory becomes', () => {
    using directory = configDirectory(files('command = ["./server", "./argument"]\nallow = "everyone"'));
    expect(directory.load().mcp[0]?.command).toEqual([`${directory.path}/server`, './argument']);
  });
});
