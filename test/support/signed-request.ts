import { REQUEST_TAG } from '../../src/signatures/constants.ts';
import { contentDigest } from '../../src/signatures/content-digest.ts';
import type { DeviceKey } from '../../src/signatures/ed25519-key.ts';
import { newNonce } from '../../src/signatures/sign-request.ts';
import { signatureBase } from '../../src/signatures/signature-base.ts';

/** A request that is really signed, though not always as the profile wants it. */
export interface CraftedRequest {
  method?: string;
  /** Path and query. */
  target?: string;
  body?: string | undefined;
  /** As they stand between the parentheses. */
  components?: string;
  /** What follows the parentheses; each is taken from the profile where it is left out. */
  parameters?: (usual: UsualParameters) => string;
  label?: string;
  /** The authority that is signed, where that is not the one it is sent to. */
  authority?: string;
  key?: DeviceKey;
  sessionId?: string;
  /** Seconds since 1970. */
  created?: number;
  nonce?: string;
  /** The field that is sent and signed. */
  digest?: string;
}

export type UsualParameters = Readonly<Record<'created' | 'nonce' | 'keyid' | 'tag', string>>;

/** Who signs, and to whom. */
export interface Signing {
  key: DeviceKey;
  sessionId: string;
  /** Where it is sent. */
  origin: string;
  /** Epoch milliseconds. */
  now: number;
}

export const PROFILE_COMPONENTS = '"@method" "@authority" "@path" "@query"';
const TARGET = '/api/v1/device/echo?a=1';

/** Signs the request, whatever it asks to be covered, and hands it over as it would be sent. */
export function craftRequest(crafted: CraftedRequest, signing: Signing): Request {
  const { method = 'POST', target = TARGET, body, label = 'sig' } = crafted;
  const url = new URL(target, signing.origin);
  const digest = crafted.digest ?? (body === undefined ? undefined : contentDigest(Buffer.from(body)));
  const components = crafted.components ?? profileComponents(body);
  const params = `(${components})${parametersOf(crafted, signing)}`;
  const values: Record<string, string> = {
    '@method': method,
    '@authority': crafted.authority ?? url.host,
    '@path': url.pathname,
    '@query': url.search === '' ? '?' : url.search,
    '@scheme': url.protocol.slice(0, -1),
    '@target-uri': url.href,
    '@request-target': `${url.pathname}${url.search}`,
    'content-digest': digest ?? '',
    'content-type': 'application/json',
    host: url.host,
    date: 'Tue, 20 Apr 2021 02:07:55 GMT',
  };
  const names = [...components.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name);
  const base = signatureBase(
    names.map((name) => [name, values[name] ?? ''] as const),
    params,
  );
  const signature = Buffer.from((crafted.key ?? signing.key).sign(base)).toString('base64');
  const init: RequestInit = {
    method,
    ...(body === undefined ? {} : { body }),
  };
  return new Request(url.href, {
    ...init,
    headers: {
      host: url.host,
      'signature-input': `${label}=${params}`,
      signature: `${label}=:${signature}:`,
      ...(body === undefined
        ? {}
        : { 'content-length': String(Buffer.byteLength(body)), 'content-type': 'application/json' }),
      ...(digest === undefined ? {} : { 'content-digest': digest }),
    },
  });
}

/** The same request with other fields; `null` takes one away. */
export function withFields(request: Request, fields: Readonly<Record<string, string | null>>): Request {
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  return new Request(request, { headers });
}

function profileComponents(body: string | undefined): string {
  return body === undefined ? PROFILE_COMPONENTS : `${PROFILE_COMPONENTS} "content-digest"`;
}

function parametersOf(crafted: CraftedRequest, signing: Signing): string {
  const usual: UsualParameters = {
    created: `;created=${crafted.created ?? Math.floor(signing.now / 1_000)}`,
    nonce: `;nonce="${crafted.nonce ?? newNonce()}"`,
    keyid: `;keyid="${crafted.sessionId ?? signing.sessionId}"`,
    tag: `;tag="${REQUEST_TAG}"`,
  };
  return crafted.parameters?.(usual) ?? Object.values(usual).join('');
}
