import { afterEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../../src/mcp/json-rpc.ts';
import { temporaryDirectory } from '../../support/database.ts';
import {
  callExchange,
  callTool,
  exchangeOf,
  SERVERS,
  scriptBackend,
  type TemporaryBroker,
  temporaryBroker,
  textOf,
} from '../../support/mcp-broker.ts';
import { recordingView } from '../../support/mcp-view.ts';
import { until } from '../../support/until.ts';

let open: TemporaryBroker | undefined;
const start = (script: string, args: string[] = [], overrides = {}) => {
  open = temporaryBroker({ backends: [scriptBackend(script, args, overrides)] });
  return open;
};
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
});

const names = (result: JsonObject, list: string) =>
  (result[list] as { name: string }[]).map(({ name }) => name);

describe('server-everything', () => {
  const CAPABLE = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

  test('has the token of whoever called in its environment, and each new one', async () => {
    const { broker, holder, upstream } = start(SERVERS.everything, [], { provider: 'idp' });
    const somebody = await holder();
    const environment = async () => textOf(await callTool(broker, somebody, 'get-env'));
    expect(await environment()).toContain('"TOKEN": "token-1"');
    for (let n = 2; n <= 4; n++) {
      upstream.refresh(somebody.user.id);
      await until(`token ${n}`, async () => (await environment()).includes(`"TOKEN": "token-${n}"`));
    }
  });

  test('asks its client: sampling, elicitation, roots', async () => {
    const { broker, holder } = start(SERVERS.everything);
    const somebody = await holder();
    const answer = (method: string): JsonObject => {
      if (method === 'roots/list') return { roots: [{ uri: 'file:///home/ann', name: 'Ann' }] };
      if (method === 'elicitation/create') return { action: 'accept', content: { name: 'Ann' } };
      return { role: 'assistant', model: 'a-model', content: { type: 'text', text: 'Sampled.' } };
    };
    const options = { capabilities: CAPABLE, answer };
    const tools = names(
      await callExchange(broker, somebody, exchangeOf('tools/list', undefined, options)),
      'tools',
    );
    expect(tools).toContain('echo');
    const sampled = await callTool(
      broker,
      somebody,
      'trigger-sampling-request',
      { prompt: 'Hi', maxTokens: 5 },
      options,
    );
    expect(textOf(sampled)).toContain('Sampled.');
    const elicited = await callTool(broker, somebody, 'trigger-elicitation-request', {}, options);
    expect(textOf(elicited)).toContain('Ann');
    await until('it has the roots', async () =>
      textOf(await callTool(broker, somebody, 'get-roots-list', {}, options)).includes('file:///home/ann'),
    );
  });

  test('tells of progress and changes', async () => {
    const { broker, holder } = start(SERVERS.everything);
    const somebody = await holder();
    const exchange = exchangeOf('tools/call', {
      name: 'trigger-long-running-operation',
      arguments: { duration: 0.2, steps: 2 },
      _meta: { progressToken: 7 },
    });
    await callExchange(broker, somebody, exchange);
    const progress = exchange.notified.filter(({ method }) => method === 'notifications/progress');
    expect(progress.map(({ params }) => params?.['progressToken'])).toEqual([7, 7]);
    const view = recordingView();
    using attachment = broker.attach(somebody, view);
    await attachment.subscribe('demo://resource/dynamic/text/1');
    await callTool(broker, somebody, 'toggle-subscriber-updates');
    await until('it was heard', () =>
      view.delivered.some(({ method }) => method === 'notifications/resources/updated'),
    );
    await callTool(broker, somebody, 'toggle-subscriber-updates');
  });
});

test('server-memory keeps what its grant told it', async () => {
  using directory = temporaryDirectory();
  const { broker, holder } = start(SERVERS.memory, [], {
    transport: {
      kind: 'stdio',
      argv: [process.execPath, SERVERS.memory],
      env: { MEMORY_FILE_PATH: join(directory.path, 'memory.jsonl') },
      isolation: 'exempt',
      cache: undefined,
    },
  });
  const somebody = await holder();
  const entities = [{ name: 'Ann', entityType: 'person', observations: ['likes tea'] }];
  await callTool(broker, somebody, 'create_entities', { entities });
  expect(textOf(await callTool(broker, somebody, 'read_graph'))).toContain('likes tea');
});

test('server-filesystem asks for roots, and reads below them', async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, 'note.txt'), 'found');
  const { broker, holder } = start(SERVERS.filesystem, [directory.path]);
  const somebody = await holder();
  const read = () => callTool(broker, somebody, 'read_text_file', { path: join(directory.path, 'note.txt') });
  expect(textOf(await read())).toBe('found');
});
