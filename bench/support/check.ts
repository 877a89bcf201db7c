import { APP_HOSTS } from './seed.ts';

/** Asks as a proxy does whether this session may see a page of the first protected host. */
export async function passesCheck(origin: string, token: string): Promise<boolean> {
  const response = await fetch(`${origin}/forward-auth`, {
    redirect: 'manual',
    headers: {
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': APP_HOSTS[0] ?? '',
      'x-forwarded-uri': '/',
      cookie: `__Host-postern=${token}`,
    },
  });
  await response.arrayBuffer();
  return response.ok;
}
