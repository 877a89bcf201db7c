import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { globalOptions, startCaddyWith } from './caddy.ts';
import { makeCertificate, type TestCertificate } from './certificate.ts';
import { temporaryDirectory } from './database.ts';
import { type EchoApp, startEchoApp } from './echo-app.ts';
import { freePort } from './free-port.ts';
import { guideFile, guideFiles, replaceAll } from './guide.ts';
import type { Mapping } from './mapped-browser.ts';
import { mainFile } from './nginx.ts';
import { type Finished, type Running, startProgram } from './program.ts';
import { APP_URL, AUTH_URL, NOTES_URL, type ProxyName } from './protected-site.ts';
import { startProxy, type TestProxy } from './proxy.ts';
import { startRedis, type TestRedis } from './redis-server.ts';

export interface GuideSite extends AsyncDisposable {
  readonly mapping: Required<Mapping>;
  readonly app: EchoApp;
  readonly redis: TestRedis;
  readonly nodes: readonly [a: GuideNode, b: GuideNode];
  /** Runs a command beside the nodes. */
  run(...args: string[]): Promise<Finished>;
}

export interface GuideNode {
  readonly port: number;
  /** Ends it without a word; resolves once it is gone. */
  kill9(): Promise<void>;
  start(): Promise<void>;
}

/** Redis, both nodes and the proxy of the guide for two nodes; only ports and certificates are the test's own. */
export async function twoNodesOfGuide(proxy: ProxyName, command: readonly string[]): Promise<GuideSite> {
  await using starting = new AsyncDisposableStack();
  const directory = starting.use(temporaryDirectory()).path;
  const redis = starting.use(await redisOfGuide(directory));
  const app = starting.use(startEchoApp('App'));
  const toml = replaceAll(guideFile('two-nodes', 'postern.toml'), {
    '/var/lib/postern': join(directory, 'data'),
    ':6379': `:${redis.port}`,
  });
  writeFileSync(join(directory, 'postern.toml'), toml);
  const programs = starting.use(new AsyncDisposableStack());
  const start = (env: Record<string, string>, ...args: string[]) =>
    programs.use(startProgram([...command, ...args], directory, { PATH: process.env['PATH'] ?? '', ...env }));
  const nodeOf = async (name: string): Promise<GuideNode> => {
    const env = environmentOf(name, freePort());
    let node: Running;
    const serve = async () => {
      node = start(env, 'serve');
      await node.printed('Postern is ready at ');
    };
    await serve();
    return {
      port: Number(env['POSTERN_LISTEN']?.split(':')[1]),
      async kill9() {
        node.signal('SIGKILL');
        await node.finished;
      },
      start: serve,
    };
  };
  const nodes = [await nodeOf('a'), await nodeOf('b')] as const;
  const certificate = await makeCertificate(
    directory,
    [AUTH_URL, APP_URL, NOTES_URL].map((url) => new URL(url).host),
  );
  const setup = { directory, certificate, nodes, appPort: app.port };
  const standing = starting.use(await (proxy === 'nginx' ? nginxOfGuide(setup) : caddyOfGuide(setup)));
  const running = starting.move();
  return {
    mapping: { port: standing.port, ca: readFileSync(certificate.cert, 'utf8') },
    app,
    redis,
    nodes,
    run: (...args) => start({}, ...args).finished,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Its settings, one argument for each line; the file of users is where the test has it. */
function redisOfGuide(directory: string): Promise<TestRedis> {
  const users = join(directory, 'users.acl');
  writeFileSync(users, guideFile('two-nodes', 'users.acl'));
  const lines = guideFile('two-nodes', 'redis.conf').split('\n');
  const settings = lines.filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('port '));
  const args = settings.flatMap((line) => {
    const [name, ...values] = line.split(' ');
    return [`--${name}`, ...values.map((value) => (name === 'aclfile' ? users : value))];
  });
  return startRedis({ args });
}

/** The lines of the node's file; only ports are the test's own. */
function environmentOf(name: string, port: number): Record<string, string> {
  const lines = guideFile('two-nodes', `${name}.env`).trim().split('\n');
  const pairs = lines.map((line): [string, string] => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1)];
  });
  return {
    ...Object.fromEntries(pairs),
    POSTERN_LISTEN: `127.0.0.1:${port}`,
    POSTERN_METRICS_LISTEN: `127.0.0.1:${freePort()}`,
  };
}

interface ProxySetup {
  directory: string;
  certificate: TestCertificate;
  nodes: readonly GuideNode[];
  appPort: number;
}

function ownPorts(text: string, { nodes, appPort }: ProxySetup): string {
  return text
    .replaceAll('127.0.0.1:7400', `127.0.0.1:${nodes[0]?.port}`)
    .replaceAll('127.0.0.1:7402', `127.0.0.1:${nodes[1]?.port}`)
    .replaceAll(/127\.0\.0\.1:808[01]/g, `127.0.0.1:${appPort}`);
}

/** Runs the commands of the guide where its files are. */
async function edit(script: string, directory: string): Promise<void> {
  const shell = Bun.spawn(['sh', '-eu', '-c', guideFile('two-nodes', script)], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if ((await shell.exited) !== 0) throw new Error(`${script} failed`);
}

async function nginxOfGuide(setup: ProxySetup): Promise<TestProxy> {
  const { directory, certificate } = setup;
  const [port, nodes] = [freePort(), 'conf.d/00-postern-nodes.conf'];
  const files = [...guideFiles('nginx'), ...guideFiles('device-hosts')].filter(([path]) =>
    path.includes('/'),
  );
  files.push([nodes, guideFile('two-nodes', nodes)]);
  for (const [path, content] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  await edit('nginx-nodes.sh', directory);
  for (const [path] of files) {
    const file = join(directory, path);
    const own = ownPorts(readFileSync(file, 'utf8'), setup)
      .replaceAll('listen 443 ssl', `listen ${port} ssl`)
      .replaceAll(/ssl_certificate +\/etc\/ssl\/.*;/g, `ssl_certificate ${certificate.cert};`)
      .replaceAll(/ssl_certificate_key +\/etc\/ssl\/.*;/g, `ssl_certificate_key ${certificate.key};`);
    writeFileSync(file, own);
  }
  writeFileSync(join(directory, 'nginx.conf'), mainFile(directory, ''));
  const args = ['-p', directory, '-e', 'stderr', '-c', join(directory, 'nginx.conf')];
  return startProxy({ name: 'nginx', arguments: args, cwd: directory, port });
}

async function caddyOfGuide(setup: ProxySetup): Promise<TestProxy> {
  const { directory, certificate } = setup;
  const [port, file] = [freePort(), join(directory, 'Caddyfile')];
  writeFileSync(file, `${guideFile('caddy', 'Caddyfile')}\n${guideFile('device-hosts', 'Caddyfile')}`);
  await edit('caddy-nodes.sh', directory);
  const tls = `tls ${certificate.cert} ${certificate.key}`;
  const sites = ownPorts(`${guideFile('two-nodes', 'nodes.caddy')}\n${readFileSync(file, 'utf8')}`, setup);
  const own = sites.replaceAll(/^([*a-z.]+\.example\.(?:org|net)) \{$/gm, `$1 {\n\t${tls}`);
  writeFileSync(file, `${globalOptions(port, freePort())}\n${own}`);
  return startCaddyWith(file, directory, port);
}
