import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import type { Browser } from '../support/browser.ts';
import { type LoopbackSite, loopbackSite } from '../support/loopback-site.ts';
import { openRawEventStream, type RawEventStream } from '../support/raw-event-stream.ts';
import { until } from '../support/until.ts';

setDefaultTimeout(60_000);

const BROWSERS = 10;
const STREAMS_EACH = 100;
/** From the end of the command that ended them. On a quiet machine it is below 50 ms, which `bench revoke` measures. */
const SOON_MS = 1_000;

const openStream = (site: LoopbackSite, browser: Browser): Promise<RawEventStream> =>
  openRawEventStream(site.origin, browser.cookies.header(site.url('/')));

const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

describe('event streams', () => {
  test('a thousand end at once when another process ends the sessions', async () => {
    const streamsOfOne = BROWSERS * STREAMS_EACH;
    const toml = () => `[sessions]\nevent_streams_per_user = ${streamsOfOne}\n`;
    await using site = await loopbackSite({ toml });
    using streams = new DisposableStack();
    const browsers = [await site.addPerson('ada')];
    while (browsers.length < BROWSERS) browsers.push(await site.signIn('ada'));
    const { pid } = site.appliance.process;
    const before = openFiles(pid);
    const open: RawEventStream[] = [];
    for (const browser of browsers)
      for (let count = 0; count < STREAMS_EACH; count++)
        open.push(streams.use(await openStream(site, browser)));
    const bystander = streams.use(await openStream(site, site.owner));

    const { out } = await site.appliance.run('session', 'end-all', 'ada');
    const answeredAt = performance.now();
    expect(out).toBe(`ended ${BROWSERS} sessions of ada\n`);
    const ends = await Promise.all(open.map(({ over }) => over));
    expect(Math.max(...ends) - answeredAt).toBeLessThan(SOON_MS);
    expect(open.filter((stream) => !stream.text().includes('event: end\n'))).toEqual([]);
    expect(bystander.isOver).toBe(false);
    await until('their sockets are given back', () => openFiles(pid) <= before + 5);
  });

  test('end when their session runs out', async () => {
    const toml = () =>
      '[sessions]\nidle_timeout = "1s"\nlive_check_interval = "50ms"\ntouch_interval = "50ms"\n';
    await using site = await loopbackSite({ toml });
    using stream = await openStream(site, site.owner);
    await stream.over;
    expect(stream.text()).toContain('event: end\ndata: {"reason":"expired"}');
    expect((await site.owner.fetch(site.url('/api/v1/session'))).status).toBe(401);
  });
});

describe('SIGTERM', () => {
  test('ends open streams with a word, lets a request finish, and leaves nothing behind', async () => {
    await using site = await loopbackSite();
    using stream = await openStream(site, site.owner);
    using request = await halfARequest(site);
    site.appliance.process.signal('SIGTERM');
    await site.appliance.process.printed('ending');
    await stream.over;
    expect(stream.text()).toContain('event: end\ndata: {"reason":"shutting_down"}');
    request.finish();
    expect(await request.answer).toStartWith('HTTP/1.1 401 ');
    const { exitCode } = await site.appliance.process.finished;
    expect(exitCode).toBe(0);
    expect(readdirSync(site.appliance.dataDir).sort()).toEqual(['lock.db', 'postern.db', 'secret']);
    expect(readdirSync(site.appliance.directory).sort()).toEqual(['postern-data', 'postern.toml']);
  });

  test('cuts what is not done at the end of the drain', async () => {
    await using site = await loopbackSite({ toml: () => '[http]\ndrain_timeout = "500ms"\n' });
    using _request = await halfARequest(site);
    const startedAt = performance.now();
    const { exitCode, err } = await site.appliance.stop();
    expect(exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(err).toContain('requests still ran at the end of the drain and are cut');
  });
});

const BODY = 'username=ada&password=wrong';

/** A sign-in whose body has not come in full; without one a handler waits for it. */
async function halfARequest(site: LoopbackSite) {
  const socket = connect(site.appliance.port, '127.0.0.1');
  let text = '';
  const answer = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('close', () => resolve(text));
  });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const head = [
    'POST /sign-in HTTP/1.1',
    `Host: ${new URL(site.origin).host}`,
    `Origin: ${site.origin}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${BODY.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${BODY.slice(0, 9)}`);
  await site.owner.fetch(site.url('/healthz'));
  return {
    answer,
    finish: () => void socket.write(BODY.slice(9)),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
