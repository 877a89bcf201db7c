import { setTimeout as wait } from 'node:timers/promises';

/**
 * An MCP server on stdio that does what it is told, good or bad. Each argument switches something on:
 * `quits-on-discover`, `silent-on-discover`, `mute` (never answers `initialize`), `dies` (exits at once), `stubborn`
 * (ignores the end of input and SIGTERM), `slow` (answers `initialize` once the file named by SLOW_UNTIL is there).
 */
const modes = new Set(process.argv.slice(2));
const pid = process.pid;

interface Message {
  id?: number | string;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: unknown;
}

if (modes.has('dies')) process.exit(3);
if (modes.has('stubborn')) {
  process.on('SIGTERM', () => undefined);
  setInterval(() => undefined, 1_000);
}

let asked = 0;
let level = 'none';
const heard: string[] = [];
const cancelled: unknown[] = [];
const subscriptions = new Set<unknown>();
const waiting = new Map<string, (message: Message) => void>();
const gates = new Map<string, () => void>();

const write = (text: string) => process.stdout.write(text);
const send = (message: object): void => void write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const notify = (method: string, params?: object) => send({ method, ...(params && { params }) });
const ask = (method: string, params: object) =>
  new Promise<Message>((resolve) => {
    const id = `q${++asked}`;
    waiting.set(id, resolve);
    send({ id, method, params });
  });
const text = (value: unknown) => ({
  content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }],
});

type Tool = (args: Record<string, unknown>, message: Message) => unknown;

const tools: Record<string, Tool> = {
  echo: ({ text: value }) => text(value),
  state: () =>
    text({
      pid,
      level,
      heard,
      cancelled,
      subscriptions: [...subscriptions],
      token: process.env['TOKEN'],
      env: Object.keys(process.env),
    }),
  meta: (_args, { params }) => text(params?.['_meta'] ?? null),
  async ask({ method, params }) {
    const { result, error } = await ask(String(method), params ?? {});
    return text({ result, error });
  },
  progress(_args, { params }) {
    const meta = params?.['_meta'] as Record<string, unknown> | undefined;
    notify('notifications/progress', { progressToken: meta?.['progressToken'], progress: 1, total: 2 });
    notify('notifications/progress', { progressToken: 'made-up', progress: 9 });
    return text('done');
  },
  log({ level: at }) {
    notify('notifications/message', { level: at, data: `at ${String(at)}` });
    return text('logged');
  },
  change() {
    notify('notifications/tools/list_changed');
    for (const uri of subscriptions) notify('notifications/resources/updated', { uri });
    return text('changed');
  },
  /** Answers when `open` is called with the same name. */
  gate: ({ name }) =>
    new Promise((resolve) => gates.set(String(name), () => resolve(text(`through ${String(name)}`)))),
  open({ name }) {
    gates.get(String(name))?.();
    return text('open');
  },
  garbage() {
    write('this is no JSON\n{"jsonrpc":"2.0"}\n[]\n7\n{"jsonrpc":"2.0","id":"nobody","result":{}}\n');
    write('{"jsonrpc":"2.0","id":999999,"result":{"stolen":true}}\n');
    return text('after the garbage');
  },
  noResult: (_args, { id }) => send({ id }),
  huge: ({ bytes }) => text('x'.repeat(Number(bytes))),
  deep: (_args, { id }) => {
    const depth = 50_000;
    write(`{"jsonrpc":"2.0","id":${id},"result":{"deep":${'['.repeat(depth)}${']'.repeat(depth)}}}\n`);
  },
  split: async (_args, { id }) => {
    const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id, result: text('grüße 🌻') })}\n`);
    for (const byte of bytes) {
      process.stdout.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  fail: (_args, { id }) => send({ id, error: { code: -32_050, message: 'Out of paper', data: { tray: 2 } } }),
  oddError: (_args, { id }) => send({ id, error: { code: 'x', message: 7 } }),
  flood: () => {
    for (let n = 0; n < 300; n++) send({ id: `flood${n}`, method: 'roots/list' });
    return text('flooded');
  },
  crash: () => process.exit(9),
  quit: () => process.exit(0),
};

async function handle(message: Message): Promise<void> {
  const { id, method, params } = message;
  if (method === undefined) {
    waiting.get(String(id))?.(message);
    waiting.delete(String(id));
    return;
  }
  if (id === undefined) {
    if (method === 'notifications/cancelled') cancelled.push(params?.['requestId']);
    else heard.push(method);
    return;
  }
  switch (method) {
    case 'server/discover':
      if (modes.has('quits-on-discover')) process.exit(1);
      if (modes.has('silent-on-discover')) return;
      return send({ id, error: { code: -32_601, message: 'Method not found' } });
    case 'initialize':
      if (modes.has('mute')) return;
      if (modes.has('slow'))
        while (!(await Bun.file(process.env['SLOW_UNTIL'] ?? '').exists())) await wait(10);
      return send({
        id,
        result: {
          protocolVersion: '2025-11-25',
          serverInfo: { name: 'odd', version: '1' },
          capabilities: { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } },
          instructions: 'Odd.',
        },
      });
    case 'logging/setLevel':
      level = String(params?.['level']);
      return send({ id, result: {} });
    case 'resources/subscribe':
      if (String(params?.['uri']).startsWith('bad:')) {
        return send({ id, error: { code: -32_002, message: 'No such resource' } });
      }
      subscriptions.add(params?.['uri']);
      return send({ id, result: {} });
    case 'resources/unsubscribe':
      subscriptions.delete(params?.['uri']);
      return send({ id, result: {} });
    case 'tools/call': {
      const tool = tools[String(params?.['name'])];
      if (tool === undefined) return send({ id, error: { code: -32_602, message: 'Unknown tool' } });
      const result = await tool((params?.['arguments'] ?? {}) as Record<string, unknown>, message);
      if (result !== undefined) send({ id, result });
      return;
    }
    default:
      return send({ id, error: { code: -32_601, message: 'Method not found' } });
  }
}

const decoder = new TextDecoder();
let rest = '';
for await (const chunk of Bun.stdin.stream()) {
  const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) void handle(JSON.parse(line) as Message);
}
if (!modes.has('stubborn')) process.exit(0);
