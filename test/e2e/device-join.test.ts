import { expect, setDefaultTimeout, test } from 'bun:test';
import { binary } from '../support/appliance.ts';
import { loopbackSite } from '../support/loopback-site.ts';
import { hiddenFields } from '../support/oauth-client.ts';
import { startProgram } from '../support/program.ts';

setDefaultTimeout(60_000);

test('an agent shows a code and a fingerprint; its person types the one and compares the other', async () => {
  await using site = await loopbackSite({ toml: () => '\n[devices]\njoin_poll_interval = "1s"\n' });
  const { directory } = site.appliance;
  await using agent = startProgram(
    [binary(), 'agent', '--dir', 'agent-garage', '--join', site.origin, '--name', 'Garage'],
    directory,
    { PATH: process.env['PATH'] ?? '' },
  );
  await agent.printed('/device');
  const [code = ''] = /[2-9A-Z]{4}-[2-9A-Z]{4}/.exec(agent.out()) ?? [];
  const [fingerprint = ''] = /([a-z2-7]{4} ){3}[a-z2-7]{4}/.exec(agent.out()) ?? [];
  const page = await site.owner.submit(site.url('/device'), { code });
  expect(page.text).toContain('“Garage”');
  expect(page.text).toContain(fingerprint);
  const answered = await site.owner.submit(site.url('/device/answer'), {
    ...hiddenFields(page.text),
    decision: 'allow',
  });
  expect(answered.url.pathname).toBe('/device/done');
  expect(await agent.finished).toMatchObject({ exitCode: 0 });
  const { out } = await site.appliance.run('device', 'list', '--json');
  expect(JSON.parse(out)).toMatchObject([{ handle: 'garage', username: 'owner' }]);
});
