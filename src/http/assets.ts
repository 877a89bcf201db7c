import fragmentScript from './assets/fragment.client.js' with { type: 'text' };
import icon from './assets/icon.svg' with { type: 'text' };
import stylesheet from './assets/postern.css' with { type: 'text' };

/** A file that pages link to. Its name holds a hash of its bytes, so that it may be kept for ever. */
interface Asset {
  /** Path on our own origin; on a protected host it stands behind `PROTECTED_HOST_PREFIX`. */
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

/** The one path prefix that guides hand to us on protected hosts. */
export const PROTECTED_HOST_PREFIX = '/.postern';

const YEAR_SECONDS = 31_536_000;

export const STYLESHEET = asset('postern', 'css', 'text/css; charset=utf-8', stylesheet);
export const ICON = asset('icon', 'svg', 'image/svg+xml', icon);
/** Fills `input[data-from-fragment]` from the URL's fragment and hides the `[data-fragment-field]` around it. */
export const FRAGMENT_SCRIPT = asset('fragment', 'js', 'text/javascript; charset=utf-8', fragmentScript);

const assets = new Map([STYLESHEET, ICON, FRAGMENT_SCRIPT].map((one) => [one.path, one]));

/** The asset at a path, or `undefined`. */
export function assetResponse(pathname: string): Response | undefined {
  const path = pathname.startsWith(`${PROTECTED_HOST_PREFIX}/`)
    ? pathname.slice(PROTECTED_HOST_PREFIX.length)
    : pathname;
  const found = assets.get(path);
  if (found === undefined) return undefined;
  return new Response(found.text, {
    headers: { 'content-type': found.type, 'cache-control': `public, max-age=${YEAR_SECONDS}, immutable` },
  });
}

function asset(name: string, extension: string, type: string, text: string): Asset {
  const hash = new Bun.CryptoHasher('sha256').update(text).digest('hex').slice(0, 16);
  return { path: `/assets/${name}.${hash}.${extension}`, type, text };
}
