import { readCookie } from '../http/cookies.ts';
import type { Ledger } from '../sessions/ledger.ts';
import type { RecognisedSession } from '../sessions/model.ts';
import type { Site } from './guard-sites.ts';

/** A step of the sign-in to a protected host; what its URL holds goes to nobody else. */
export function redirectTo(location: string, cookies: readonly string[] = []): Response {
  const headers = { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };
  return withCookies(new Response(null, { status: 303, headers }), cookies);
}

/** A URL with a query of these parameters. */
export function withQuery(url: string, params: Readonly<Record<string, string>>): string {
  return `${url}?${new URLSearchParams(params).toString()}`;
}

export function withCookies(response: Response, cookies: readonly string[]): Response {
  for (const cookie of cookies) response.headers.append('set-cookie', cookie);
  return response;
}

/** The live session of a protected host that the browser has already. */
export async function sessionOf(
  ledger: Pick<Ledger, 'authenticate'>,
  request: Request,
  { cookie, audience }: Site,
): Promise<RecognisedSession | undefined> {
  const token = readCookie(request, cookie);
  const found = token === undefined ? undefined : await ledger.authenticate(token, 'cookie', audience);
  return found?.ok === true ? found.session : undefined;
}
