import { APP_HOSTS } from './seed.ts';

/** As Caddy and Traefik ask, for a page of an app. */
export const PAGE_CHECK = {
  path: '/forward-auth',
  headers: {
    'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'X-Forwarded-For': '192.0.2.7',
    'X-Forwarded-Method': 'GET',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': '{host}',
    'X-Forwarded-Uri': '/library/albums?page=2',
  },
};

/** Asks as a proxy does whether this session may see a page of a protected host, by default the first. */
export async function passesCheck(
  origin: string,
  token: string,
  host: string = APP_HOSTS[0] ?? '',
): Promise<boolean> {
  const response = await fetch(`${origin}/forward-auth`, {
    redirect: 'manual',
    headers: {
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': host,
      'x-forwarded-uri': '/',
      cookie: `__Host-postern=${token}`,
    },
  });
  await response.arrayBuffer();
  return response.ok;
}
