import { expect } from 'bun:test';
import type { TestForwardAuth } from './forward-auth.ts';

/** The cookie of a session of a protected host. */
export const HOST_COOKIE = '__Host-postern';
/** What a browser says of itself when somebody opens a page. */
export const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };

/** What the proxy copies into the request that it lets pass. */
export function copied({ headers }: Response): Record<string, string | null> {
  const names = ['remote-user', 'remote-name', 'remote-email', 'remote-groups', 'cookie', 'authorization'];
  return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
}

/** What the proxy copies for nobody, and for Ada. */
export const NOBODY = {
  'remote-user': '',
  'remote-name': '',
  'remote-email': '',
  'remote-groups': '',
  cookie: '',
  authorization: '',
};
export const ADA = { ...NOBODY, 'remote-user': 'ada', 'remote-name': 'ada' };

/** Somebody with a session of the appliance and one of the first protected host. */
export async function signedIn(forwardAuth: TestForwardAuth, username = 'ada') {
  const userId = await forwardAuth.addUser(username);
  const parent = await forwardAuth.signIn(userId);
  const child = await forwardAuth.openChild(parent.session.id);
  return { userId, parent, child, cookie: `${HOST_COOKIE}=${child.token}` };
}

/** Status and code of an answer that has to be a problem. */
export async function problem(response: Response): Promise<unknown[]> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const { code } = (await response.json()) as { code: string };
  return [response.status, code];
}
