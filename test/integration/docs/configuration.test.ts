import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAgentConfig } from '../../../src/agent/config.ts';
import { configDirectory } from '../../support/config-directory.ts';
import { temporaryDirectory } from '../../support/database.ts';
import { type Block, blocks, page, pages } from '../../support/documentation.ts';

const allBlocks = pages().flatMap((each) => blocks(each, 'toml'));
/** What a device is told, which has a file of its own. */
const isAgents = ({ info }: Block) => info.endsWith('agent.toml');
const tomlBlocks = allBlocks.filter((block) => !isAgents(block));

test.each(allBlocks.filter(isAgents).map((block, index) => [`${block.page} (${index})`, block] as const))(
  'a block of the configuration of an agent is accepted: %s',
  (_, block) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'agent.toml');
    writeFileSync(path, block.content);
    loadAgentConfig(path, {}, directory.path);
  },
);

test.each(tomlBlocks.map((block, index) => [`${block.page} (${index})`, block] as const))(
  'a block of configuration is accepted: %s',
  (_, block) => {
    using directory = configDirectory(block.content);
    if (!block.content.includes('\nprevious_secrets') && !block.content.startsWith('secret')) {
      expect(directory.load({ env: clientSecrets(block) }).url).toStartWith('http');
      return;
    }
    // Secrets that everybody can read are refused, and nothing else about the block is wrong.
    const { problems } = directory.refusal({ env: clientSecrets(block) });
    const keys = problems.map(({ key }) => key.replace(/\[?\.?\d+\]?$/, ''));
    expect([...new Set(keys)].toSorted()).toEqual(['previous_secrets', 'secret']);
  },
);

test.each(['Authelia', 'Authentik', 'Keycloak', 'Pocket ID', 'Forgejo', 'GitHub'])(
  'the guide for %s has steps and a block of configuration',
  (name) => {
    const guide = page('docs/guides/providers.md');
    const start = guide.text.indexOf(`\n## ${name}\n`);
    const text = guide.text.slice(start + 1).split(/^## /m)[1] ?? '';
    expect(text).toMatch(/^1\. /m);
    const [block] = blocks({ path: guide.path, text }, 'toml');
    if (block === undefined) throw new Error('no block');
    using directory = configDirectory(block.content);
    const { provider } = directory.load({ env: clientSecrets(block) });
    expect(provider).toHaveLength(1);
    expect(provider[0]?.owners).not.toEqual({ subjects: [], emails: [], domains: [], groups: [] });
  },
);

/** What the pages leave to files and the environment. */
function clientSecrets({ content }: Block): Record<string, string> {
  const parsed = Bun.TOML.parse(content) as { provider?: { name: string; client_secret?: string }[] };
  const without = (parsed.provider ?? []).filter((each) => each.client_secret === undefined);
  return Object.fromEntries(
    without.map(({ name }) => [
      `POSTERN_PROVIDER_${name.toUpperCase().replaceAll('-', '_')}_CLIENT_SECRET`,
      'x',
    ]),
  );
}
