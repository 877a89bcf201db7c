import { expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChromium } from '../../support/chromium.ts';
import { blocks, type Page, page } from '../../support/documentation.ts';
import { startEchoApp } from '../../support/echo-app.ts';
import { freePort } from '../../support/free-port.ts';
import { replaceAll } from '../../support/guide.ts';
import { GOOD_PASSWORD } from '../../support/local-accounts.ts';
import { PROGRAMS, type Workplace, workplace } from '../../support/program.ts';
import { startProxy } from '../../support/proxy.ts';

setDefaultTimeout(60_000);

const README = page('README.md');
const [program] = PROGRAMS;

test('the README leads from nothing to signed in, and to one protected app', async () => {
  await using app = startEchoApp('App');
  await using place = workplace(program?.[1] ?? []);
  const proxyPort = freePort();
  const appUrl = `http://app.localhost:${proxyPort}`;
  const file = fileOf(README, 'postern.toml');
  writeFileSync(join(place.directory, 'postern.toml'), replaceAll(file, { ':8080': `:${proxyPort}` }));
  await using server = await place.serve();
  await using _caddy = await startCaddy(place, proxyPort, app.port);
  await using chromium = await startChromium();

  const tab = await (await chromium.newContext()).newPage();
  await tab.goto(readFileSync(join(place.dataDir, 'setup-link'), 'utf8').trim());
  await tab.fill('#username', 'ada');
  await tab.fill('#new_password', GOOD_PASSWORD);
  await tab.fill('#new_password_again', GOOD_PASSWORD);
  await tab.press('#new_password_again', 'Enter');
  await tab.waitForURL(`${place.url}/`);

  await tab.goto(`${appUrl}/a/page?of=mine`);
  expect(await tab.textContent('#user')).toBe('ada');
  expect(await tab.textContent('#target')).toBe('/a/page?of=mine');

  const other = await (await chromium.newContext()).newPage();
  await other.goto(`${appUrl}/another`);
  expect(other.url()).toStartWith(`${place.url}/sign-in`);
  await other.fill('#username', 'ada');
  await other.fill('#password', GOOD_PASSWORD);
  await other.press('#password', 'Enter');
  await other.waitForURL(`${appUrl}/another`);
  expect(await other.textContent('#user')).toBe('ada');

  await tab.goto(`${place.url}/account/sessions`);
  await Promise.all([tab.waitForURL(/done=/), tab.click('form[action$="/end-others"] button')]);
  await other.goto(`${appUrl}/another`);
  expect(other.url()).toStartWith(`${place.url}/sign-in`);
  expect(app.received.filter(({ headers }) => 'cookie' in headers && headers['cookie'] !== '')).toEqual([]);
  server.signal('SIGTERM');
  await server.finished;
});

function fileOf(readme: Page, name: string): string {
  const found = ['toml', 'caddyfile'].flatMap((language) => blocks(readme, language));
  const block = found.find(({ info }) => info.endsWith(` ${name}`));
  if (block === undefined) throw new Error(`the README has no file ${name}`);
  return block.content;
}

function startCaddy({ directory, port: posternPort }: Workplace, port: number, appPort: number) {
  const caddyfile = replaceAll(fileOf(README, 'Caddyfile'), {
    'auto_https off': 'auto_https off\n\tadmin off',
    '127.0.0.1:7400': `127.0.0.1:${posternPort}`,
    ':8080': `:${port}`,
    ':8081': `:${appPort}`,
  });
  writeFileSync(join(directory, 'Caddyfile'), caddyfile);
  return startProxy({
    name: 'caddy',
    arguments: ['run'],
    env: { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
    cwd: directory,
    port,
  });
}
