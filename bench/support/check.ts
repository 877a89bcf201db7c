import { APP_HOSTS } from './seed.ts';

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
