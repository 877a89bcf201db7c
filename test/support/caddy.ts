import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { guideFile, replaceAll } from './guide.ts';
import { type ProxySetup, startProxy, type TestProxy } from './proxy.ts';

/** Caddy with the file of its guide: only ports and certificates are the test's own. */
export function startCaddy(setup: ProxySetup): Promise<TestProxy> {
  const { directory, sibling, certificate } = setup;
  const [port, httpPort] = [freePort(), freePort()];
  const sites = replaceAll(guideFile('caddy', 'Caddyfile'), {
    '127.0.0.1:7400': `127.0.0.1:${setup.posternPort}`,
    '127.0.0.1:8080': `127.0.0.1:${setup.appPort}`,
    '127.0.0.1:8081': `127.0.0.1:${setup.notesPort}`,
  });
  const devices = replaceAll(guideFile('device-hosts', 'Caddyfile'), {
    '127.0.0.1:7400': `127.0.0.1:${setup.posternPort}`,
  });
  const tls = `tls ${certificate.cert} ${certificate.key}`;
  const withCertificates = `${sites}\n${devices}`.replaceAll(
    /^([*a-z.]+\.example\.(?:org|net)) \{$/gm,
    `$1 {\n\t${tls}`,
  );
  const more = `${sibling.host} {\n\t${tls}\n\treverse_proxy 127.0.0.1:${sibling.port}\n}\n`;
  const file = join(directory, 'Caddyfile');
  writeFileSync(file, `${globalOptions(port, httpPort)}\n${withCertificates}\n${more}`);
  return startCaddyWith(file, directory, port);
}

/** Caddy with a `Caddyfile` that listens at `port`; what it keeps is in `directory`. */
export function startCaddyWith(file: string, directory: string, port: number): Promise<TestProxy> {
  return startProxy({
    name: 'caddy',
    arguments: ['run', '--config', file, '--adapter', 'caddyfile'],
    env: { HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
    cwd: directory,
    port,
  });
}

export function globalOptions(port: number, httpPort: number): string {
  return `{
	admin off
	auto_https disable_redirects
	skip_install_trust
	http_port ${httpPort}
	https_port ${port}
	default_bind 127.0.0.1
}`;
}
