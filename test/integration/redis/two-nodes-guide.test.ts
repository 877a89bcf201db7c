import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { fetchMapped, MappedBrowser } from '../../support/mapped-browser.ts';
import { PROGRAMS } from '../../support/program.ts';
import { APP_URL, AUTH_URL, type ProxyName } from '../../support/protected-site.ts';
import { type GuideSite, twoNodesOfGuide } from '../../support/two-nodes-guide.ts';
import { until } from '../../support/until.ts';

setDefaultTimeout(60_000);

const [program] = PROGRAMS;
const PASSWORD = 'a good password of the test';
/** Enough that a balancer has asked both nodes. */
const ROUNDS = 6;

describe.each<ProxyName>(['nginx', 'caddy'])('the guide for two nodes, behind %s', (proxy) => {
  let site: GuideSite;
  beforeAll(async () => {
    site = await twoNodesOfGuide(proxy, program?.[1] ?? []);
  });
  afterAll(() => site?.[Symbol.asyncDispose]());

  /** A browser in which somebody new has signed in, by the link that the command gives. */
  const somebody = async (username: string) => {
    const { out, err } = await site.run('user', 'create', username);
    const [link = err] = /http\S+\/reset-password#\S+/.exec(out) ?? [];
    const browser = new MappedBrowser(site.mapping);
    const form = { link, new_password: PASSWORD, new_password_again: PASSWORD };
    await browser.submit(`${AUTH_URL}/reset-password`, form);
    return browser;
  };
  const open = (browser: MappedBrowser, node = site.mapping) =>
    fetchMapped(node, new URL(APP_URL), { headers: { cookie: browser.cookies.header(new URL(APP_URL)) } });

  test('who signs in through one is known to both, and who signs out to neither', async () => {
    const browser = await somebody('ada');
    const page = await browser.visit(APP_URL);
    expect([page.url.href, page.response.status]).toEqual([`${APP_URL}/`, 200]);
    for (let round = 0; round < ROUNDS; round++) expect((await open(browser)).status).toBe(200);
    expect(site.app.received.at(-1)?.headers['remote-user']).toBe('ada');
    await browser.submit(`${AUTH_URL}/sign-out`, {});
    await until('both have heard of it', async () => {
      const answers = await Promise.all(Array.from({ length: ROUNDS }, () => open(browser)));
      return answers.every(({ status }) => status !== 200);
    });
  });

  test('what belongs to a role is asked of the node that has it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const mcp = await fetchMapped(site.mapping, new URL('/mcp/whoami', AUTH_URL), { method: 'POST' });
      expect(mcp.status).toBe(401);
      const device = await fetchMapped(site.mapping, new URL('/d/none/web/', AUTH_URL));
      expect(device.status).not.toBe(421);
    }
    // Past the proxy, the other node names it.
    const [, b] = site.nodes;
    const headers = { host: new URL(AUTH_URL).host };
    const answer = await fetch(`http://127.0.0.1:${b.port}/mcp/whoami`, { method: 'POST', headers });
    expect(answer.status).toBe(421);
    expect(await answer.text()).toContain('node a');
  });

  test('a node that dies is passed over', async () => {
    const browser = await somebody('grace');
    await browser.visit(APP_URL);
    const [, b] = site.nodes;
    await b.kill9();
    for (let round = 0; round < ROUNDS; round++) expect((await open(browser)).status).toBe(200);
    await b.start();
  });
});
