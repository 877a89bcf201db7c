import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from './free-port.ts';
import { guideFiles, replaceAll } from './guide.ts';
import { type ProxySetup, startProxy, type TestProxy } from './proxy.ts';

/** nginx with the files of its guide: only ports and certificates are the test's own. */
export function startNginx(setup: ProxySetup): Promise<TestProxy> {
  const { directory, sibling } = setup;
  const port = freePort();
  for (const [path, content] of [...guideFiles('nginx'), ...guideFiles('device-hosts')]) {
    if (path === 'postern.toml' || path === 'Caddyfile') continue;
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, ownPlaces(path, content, setup, port));
  }
  const more = `server { listen ${port} ssl; server_name ${sibling.host}; ${ownCertificate(setup)}
    location / { proxy_pass http://127.0.0.1:${sibling.port}; } }`;
  writeFileSync(join(directory, 'nginx.conf'), mainFile(directory, more));
  const args = ['-p', directory, '-e', 'stderr', '-c', join(directory, 'nginx.conf')];
  return startProxy({ name: 'nginx', arguments: args, cwd: directory, port });
}

function ownPlaces(path: string, content: string, setup: ProxySetup, port: number): string {
  const postern = { 'http://127.0.0.1:7400': `http://127.0.0.1:${setup.posternPort}` };
  if (path === 'snippets/postern-protect.conf') return content;
  if (path === 'snippets/postern.conf') return replaceAll(content, postern);
  const ownPort = { 'listen 443 ssl': `listen ${port} ssl` };
  const apps = {
    'http://127.0.0.1:8080': `http://127.0.0.1:${setup.appPort}`,
    'http://127.0.0.1:8081': `http://127.0.0.1:${setup.notesPort}`,
  };
  const isSites = path === 'conf.d/postern.conf';
  return replaceAll(content, { ...postern, ...ownPort, ...(isSites && apps) })
    .replaceAll(/ssl_certificate +\/etc\/ssl\/.*;/g, `ssl_certificate ${setup.certificate.cert};`)
    .replaceAll(/ssl_certificate_key +\/etc\/ssl\/.*;/g, `ssl_certificate_key ${setup.certificate.key};`);
}

function ownCertificate({ certificate: { cert, key } }: ProxySetup): string {
  return `ssl_certificate ${cert}; ssl_certificate_key ${key};`;
}

/** What a distribution's package brings, without anything outside of the directory. */
export function mainFile(directory: string, more: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(directory, `${kind}_temp`)};`,
  );
  // Started by root, nginx would hand its work to a user who may not enter the directory.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `${user}
daemon off;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
events { worker_connections 256; }
http {
  access_log off;
  server_names_hash_bucket_size 128;
  ${paths.join('\n  ')}
  include conf.d/*.conf;
  ${more}
}
`;
}
