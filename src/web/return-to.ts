import { TICKET_PATH } from '../forward-auth/constants.ts';
import { continueResponse } from '../http/page.ts';
import { safeReturnTo } from '../http/return-to.ts';
import type { WebDeps } from './deps.ts';
import { seeOther } from './visits.ts';

type ReturnDeps = Pick<WebDeps, 'isReturnTarget' | 'landing'>;

/** Where somebody wants to be once signed in, as far as that is safe. */
export function returnTarget(value: string | undefined, { isReturnTarget, landing }: ReturnDeps): string {
  return safeReturnTo(value, isReturnTarget, landing);
}

/** Sends a browser there from a form. What leads to another host needs a page between (Chromium's `form-action`). */
export function goTo(target: string, cookies: readonly string[]): Response {
  if (staysHere(target)) return seeOther(target, cookies);
  const headers = new Headers();
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return continueResponse({ title: 'You are signed in', url: target, headers });
}

function staysHere(target: string): boolean {
  return target.startsWith('/') && !target.startsWith(TICKET_PATH);
}
