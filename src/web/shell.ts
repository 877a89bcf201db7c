import { type Html } from '../http/html.ts';
import { type PageOptions, pageResponse } from '../http/page.ts';
import type { Caller } from '../sessions/guard.ts';

/** A page of somebody who is signed in: with the links that are theirs. */
export function personPage(
  caller: Caller,
  options: Pick<PageOptions, 'title' | 'status' | 'headers' | 'narrow'> & { body: Html; path: string },
): Response {
  const { path, ...page } = options;
  const links = [
    { href: '/account/sessions', label: 'Sessions' },
    { href: '/account/tokens', label: 'Tokens' },
    { href: '/account/apps', label: 'Connected apps' },
    { href: '/account/devices', label: 'Devices' },
    { href: '/account/links', label: 'Linked accounts' },
    { href: '/account/password', label: 'Password' },
    ...(caller.user.role === 'owner' ? OWNER_LINKS : []),
  ];
  const nav = links.map((link) => ({ ...link, current: link.href === path }));
  return pageResponse({ ...page, nav, user: caller.user });
}

const OWNER_LINKS = [
  { href: '/admin/users', label: 'People' },
  { href: '/admin/devices', label: 'All devices' },
  { href: '/admin/audit', label: 'Audit' },
];
