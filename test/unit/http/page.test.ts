import { describe, expect, test } from 'bun:test';
import {
  assetResponse,
  FRAGMENT_SCRIPT,
  ICON,
  PROTECTED_HOST_PREFIX,
  STYLESHEET,
} from '../../../src/http/assets.ts';
import { html } from '../../../src/http/html.ts';
import { continueResponse, pageResponse } from '../../../src/http/page.ts';

const body = html`<p>hello</p>`;

describe('a page', () => {
  test('runs nothing inline, nothing from elsewhere, and stands in no frame', () => {
    const policy = pageResponse({ title: 'A', body }).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('script-src');
  });

  test('has no inline style, no inline script and no event handler', async () => {
    const text = await pageResponse({
      title: 'A',
      body,
      user: { displayName: 'Ann' },
      fragmentScript: true,
    }).text();
    expect(text).not.toMatch(/<style|style=|<script>|\son[a-z]+=/);
  });

  test('escapes its title and the name of who is signed in', async () => {
    const text = await pageResponse({ title: '<i>', body, user: { displayName: '<u>' } }).text();
    expect(text).not.toMatch(/<i>|<u>/);
    expect(text).toContain('&lt;i&gt;');
    expect(text).toContain('action="/sign-out"');
  });

  test('keeps the headers it is given', () => {
    const response = pageResponse({ title: 'A', body, status: 403, headers: { 'set-cookie': 'a=b' } });
    expect(response.status).toBe(403);
    expect(response.headers.get('set-cookie')).toBe('a=b');
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('loads the script only when it asks for it', async () => {
    const response = pageResponse({ title: 'A', body, fragmentScript: true });
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(await response.text()).toContain(FRAGMENT_SCRIPT.path);
  });

  test('on a protected host links to what that host hands to us', async () => {
    const text = await pageResponse({ title: 'A', body, assetsBase: PROTECTED_HOST_PREFIX }).text();
    expect(text).toContain(`href="/.postern${STYLESHEET.path}"`);
    expect(text).toContain(`href="/.postern${ICON.path}"`);
  });

  test('goes on elsewhere by itself, and by hand', async () => {
    const response = continueResponse({ title: 'Signing out', url: 'https://id.example/logout?a=1&b=2' });
    expect(response.headers.get('refresh')).toBe('0; url=https://id.example/logout?a=1&b=2');
    expect(await response.text()).toContain('href="https://id.example/logout?a=1&amp;b=2"');
  });
});

describe('an asset', () => {
  test.each([STYLESHEET, ICON, FRAGMENT_SCRIPT])(
    '$path may be kept for ever',
    async ({ path, type, text }) => {
      expect(path).toMatch(/^\/assets\/[a-z]+\.[0-9a-f]{16}\.(?:css|js|svg)$/);
      for (const served of [path, `${PROTECTED_HOST_PREFIX}${path}`]) {
        const response = assetResponse(served);
        expect(response?.headers.get('content-type')).toBe(type);
        expect(response?.headers.get('cache-control')).toContain('immutable');
        expect(await response?.text()).toBe(text);
      }
    },
  );

  test('that does not exist is no answer', () => {
    expect(assetResponse('/assets/postern.css')).toBeUndefined();
    expect(assetResponse('/assets/../../etc/passwd')).toBeUndefined();
  });

  test('fits both colour schemes and small screens', () => {
    expect(STYLESHEET.text).toContain('prefers-color-scheme: dark');
    expect(STYLESHEET.text).toContain('max-width');
  });
});
