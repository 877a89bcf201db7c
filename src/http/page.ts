import { FRAGMENT_SCRIPT, ICON, STYLESHEET } from './assets.ts';
import { type Html, html, raw } from './html.ts';

export interface PageOptions {
  title: string;
  /** The page below its heading; `title` is its `h1`. */
  body: Html;
  /** 200 when absent. */
  status?: number | undefined;
  headers?: Bun.HeadersInit | undefined;
  /** Who is signed in: named in the header, with a button to sign out. */
  user?: { readonly displayName: string } | undefined;
  /** Links of the header; `current` marks the page itself. */
  nav?: readonly { readonly href: string; readonly label: string; readonly current?: boolean }[] | undefined;
  /** A narrow column, for a page that asks one thing. */
  narrow?: boolean | undefined;
  /** Adds the script that fills `input[data-from-fragment]`; the page works without it. */
  fragmentScript?: boolean | undefined;
  /** `PROTECTED_HOST_PREFIX` on a page that a protected host shows. */
  assetsBase?: string | undefined;
}

/** Nothing inline, nothing from elsewhere, in no frame. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
];

/** An HTML page in our layout, never cached, under a policy that runs no inline script or style. */
export function pageResponse(options: PageOptions): Response {
  const headers = new Headers(options.headers);
  headers.set('content-type', 'text/html; charset=utf-8');
  headers.set('content-security-policy', policy(options.fragmentScript === true));
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  return new Response(layout(options).markup, { status: options.status ?? 200, headers });
}

/**
 * A page that goes on to `url` by itself, with a link for who stays. A POST that must leave the origin ends in one:
 * Chromium applies `form-action` to every redirect that follows a form.
 */
export function continueResponse({
  title,
  url,
  headers,
}: {
  title: string;
  url: string;
  headers?: Bun.HeadersInit;
}) {
  const onward = new Headers(headers);
  onward.set('refresh', `0; url=${url}`);
  const body = html`<p>If nothing happens, <a href="${url}">continue here</a>.</p>`;
  return pageResponse({ title, body, headers: onward, narrow: true });
}

function policy(withScript: boolean): string {
  return (withScript ? [...POLICY, "script-src 'self'"] : POLICY).join('; ');
}

function layout({ title, body, user, nav, narrow, fragmentScript, assetsBase = '' }: PageOptions): Html {
  const script = html`<script src="${assetsBase}${FRAGMENT_SCRIPT.path}" type="module"></script>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Postern</title>
<link rel="stylesheet" href="${assetsBase}${STYLESHEET.path}">
<link rel="icon" href="${assetsBase}${ICON.path}" type="image/svg+xml">
${fragmentScript === true && script}</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="site">
<a class="brand" href="/">${MARK}<span>Postern</span></a>
${nav !== undefined && navigation(nav)}${user !== undefined && whoIsSignedIn(user)}</header>
<main id="main"${narrow === true && raw(' class="narrow"')}>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
}

const MARK = raw(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M4 21V11a8 8 0 0 1 16 0v10"/><path d="M9 21v-9a3 3 0 0 1 6 0v9"/><path d="M2 21h20"/></svg>',
);

function navigation(links: NonNullable<PageOptions['nav']>): Html {
  const items = links.map(
    ({ href, label, current }) =>
      html`<a href="${href}"${current === true && raw(' aria-current="page"')}>${label}</a> `,
  );
  return html`<nav aria-label="Main">${items}</nav>
`;
}

function whoIsSignedIn({ displayName }: { readonly displayName: string }): Html {
  return html`<div class="who"><span>${displayName}</span>
<form class="inline" method="post" action="/sign-out"><button class="quiet small">Sign out</button></form></div>
`;
}
