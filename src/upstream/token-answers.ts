import type { ProviderFetch } from '../sign-in/provider-deps.ts';

/**
 * Mends the answers of token endpoints before the library judges them:
 * an error that comes as 200 (GitHub) becomes the 400 that it is (RFC 6749 section 5.2), and the ID token of a refresh is
 * dropped. Nothing here looks at it, and one that does not hold would cost the new refresh token that came beside it.
 */
export function mendingTokenAnswers(ask: ProviderFetch): ProviderFetch {
  return async (url, init) => {
    const response = await ask(url, init);
    const grantType = grantTypeOf(init.body);
    if (grantType === undefined || response.status !== 200) return response;
    const answer = await readObject(response.clone());
    if (answer === undefined) return response;
    if (typeof answer['error'] === 'string' && answer['access_token'] === undefined) {
      return Response.json(answer, { status: 400, headers: { 'cache-control': 'no-store' } });
    }
    if (grantType !== 'refresh_token' || answer['id_token'] === undefined) return response;
    const { id_token: _dropped, ...kept } = answer;
    return Response.json(kept, { headers: { 'cache-control': 'no-store' } });
  };
}

function grantTypeOf(body: RequestInit['body']): string | undefined {
  if (body instanceof URLSearchParams) return body.get('grant_type') ?? undefined;
  return typeof body === 'string' ? (new URLSearchParams(body).get('grant_type') ?? undefined) : undefined;
}

async function readObject(response: {
  json(): Promise<unknown>;
}): Promise<Record<string, unknown> | undefined> {
  const value: unknown = await response.json().catch(() => undefined);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
