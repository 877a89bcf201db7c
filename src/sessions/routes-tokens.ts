import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import { sessionId } from './dto.ts';
import { createdTokenDto, newTokenDto, tokenListDto, toTokenDto } from './dto-tokens.ts';
import { actorOf, type SessionApiAccess } from './guard.ts';
import type { PersonalTokens } from './personal-tokens.ts';

export interface TokenRoutesDeps {
  tokens: PersonalTokens;
  access: SessionApiAccess;
}

const tag = 'Tokens';

/** Personal tokens. Only a browser session makes them, so that none can breed another. */
export function tokenRoutes({ tokens, access }: TokenRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/tokens',
      operationId: 'listTokens',
      tag,
      summary: 'My live personal tokens, newest use first',
      access: access.scoped('sessions:read'),
      answer: { status: 200, description: 'All of them, without their secrets.', schema: tokenListDto },
      handle: ({ caller: { user } }) => ({ tokens: tokens.list(user.id).map(toTokenDto) }),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/tokens',
      operationId: 'createToken',
      tag,
      summary: 'Make a personal token',
      access: access.browser,
      body: newTokenDto,
      answer: { status: 201, description: 'The token, with its secret this once.', schema: createdTokenDto },
      refusals: [
        { kind: 'unauthorized', code: 'session_ended' },
        { kind: 'unprocessable', code: 'unknown_host' },
        { kind: 'unprocessable', code: 'device_out_of_reach' },
        { kind: 'unprocessable', code: 'no_audience' },
        { kind: 'unprocessable', code: 'lifetime_too_long' },
        { kind: 'unprocessable', code: 'too_many_tokens' },
      ],
      async handle({ request, caller, body: { label, hosts, scopes, reach, expires_in } }) {
        const wanted = { label, hosts, scopes, reach, lifetimeMs: expires_in * 1_000 };
        const { session, token } = await tokens.create(caller.session.id, wanted, actorOf(request, caller));
        return { token: toTokenDto(session), secret: token };
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/tokens/{id}',
      operationId: 'revokeToken',
      tag,
      summary: 'Revoke one of my personal tokens',
      access: access.scoped('sessions:write'),
      params: z.strictObject({ id: sessionId }),
      answer: { status: 204, description: 'It has ended.' },
      async handle({ request, caller, params: { id } }) {
        if (!(await tokens.revoke(id, actorOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),
  ];
}
