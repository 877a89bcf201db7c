import type { LoopbackSite } from './loopback-site.ts';

/** A credential that an appliance handed out. */
export interface Holding {
  readonly kind: 'browser' | 'child' | 'token';
  readonly secret: string;
  readonly username: string;
  /** What a child ends with. */
  readonly parent: Holding | undefined;
  /** Of its session, where that is known. */
  id: string | undefined;
  /** `unanswered`: its end was asked for, and nothing came back. `lost`: it went without anybody's asking. */
  state: 'live' | 'ended' | 'unanswered' | 'lost';
}

type Where = Pick<LoopbackSite, 'appliance' | 'origin' | 'appHost' | 'cookie'>;

/** What the appliance says of a credential where that is good: the username, or `undefined` when it is refused. */
export async function holderOf(site: Where, holding: Holding): Promise<string | undefined> {
  const response = await askAs(site, holding);
  const { status } = response;
  if (status === 401) {
    await response.body?.cancel();
    return undefined;
  }
  if (status !== 200) throw new Error(`${holding.kind}: ${status} ${await response.text()}`);
  if (holding.kind === 'child') return response.headers.get('remote-user') ?? '';
  const { user } = (await response.json()) as { user: { username: string } };
  return user.username;
}

function askAs({ appliance, origin, appHost, cookie }: Where, { kind, secret }: Holding): Promise<Response> {
  if (kind === 'token') {
    return fetch(`${origin}/api/v1/session`, { headers: { authorization: `Bearer ${secret}` } });
  }
  const cookies = { cookie: `${cookie}=${secret}` };
  if (kind === 'browser') return fetch(`${origin}/api/v1/session`, { headers: cookies });
  return fetch(`http://127.0.0.1:${appliance.port}/forward-auth`, {
    headers: {
      ...cookies,
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': appHost,
      'x-forwarded-uri': '/',
    },
  });
}
