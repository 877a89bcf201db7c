import { z } from 'zod';
import { type ApiRoute, apiRoute, notFound } from '../http/api-route.ts';
import type { SessionApiAccess } from '../sessions/guard.ts';
import {
  linkListDto,
  newSecretDto,
  providerName,
  secretListDto,
  secretName,
  toLinkDto,
  toSecretDto,
  unlinkedDto,
} from './dto.ts';
import type { OpenUpstream } from './open-upstream.ts';
import { linkerOf } from './routes.ts';

export interface LinkRoutesDeps {
  upstream: Pick<OpenUpstream, 'accounts' | 'linking' | 'secrets' | 'tokens'>;
  access: SessionApiAccess;
}

const tag = 'Linked accounts';

/** Linked accounts and pasted secrets. A browser session alone may look and change: what hangs on them is worth more than a token. */
export function linkRoutes({ upstream, access }: LinkRoutesDeps): ApiRoute[] {
  const { accounts, linking, secrets, tokens } = upstream;
  const linkUrl = (provider: string, returnTo: string) => tokens.linkUrl(provider, returnTo);
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/links',
      operationId: 'listLinks',
      tag,
      summary: 'Accounts at providers that I have linked, or can link',
      description: 'Linking itself takes a browser: `link_url` is the page where it begins.',
      access: access.browser,
      answer: { status: 200, description: 'All of them, without their tokens.', schema: linkListDto },
      handle: ({ caller: { user } }) => ({
        links: accounts.list(user.id).map((one) => toLinkDto(one, linkUrl)),
      }),
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/links/{provider}',
      operationId: 'unlink',
      tag,
      summary: 'Unlink an account, and end the connected apps that depend on it',
      access: access.browser,
      params: z.strictObject({ provider: providerName }),
      answer: { status: 200, description: 'It is unlinked here.', schema: unlinkedDto },
      async handle({ request, caller, params: { provider } }) {
        const unlinked = await linking.unlink(provider, linkerOf(request, caller));
        if (unlinked === undefined) throw notFound();
        return { provider, at_provider: unlinked };
      },
    }),

    apiRoute({
      method: 'GET',
      path: '/api/v1/secrets',
      operationId: 'listSecrets',
      tag,
      summary: 'Secrets that MCP backends ask me for',
      access: access.browser,
      answer: { status: 200, description: 'Their names, never their values.', schema: secretListDto },
      handle: ({ caller: { user } }) => ({ secrets: secrets.list(user.id).map(toSecretDto) }),
    }),

    apiRoute({
      method: 'POST',
      path: '/api/v1/secrets',
      operationId: 'storeSecret',
      tag,
      summary: 'Store a secret, in the place of the one before',
      access: access.browser,
      body: newSecretDto,
      answer: { status: 204, description: 'It is stored.' },
      refusals: [
        { kind: 'unprocessable', code: 'unknown_secret' },
        { kind: 'unprocessable', code: 'bad_secret' },
      ],
      async handle({ request, caller, body: { name, value } }) {
        await secrets.store(name, value, linkerOf(request, caller));
        return undefined;
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/v1/secrets/{name}',
      operationId: 'removeSecret',
      tag,
      summary: 'Remove a secret of mine',
      access: access.browser,
      params: z.strictObject({ name: secretName }),
      answer: { status: 204, description: 'It is gone.' },
      async handle({ request, caller, params: { name } }) {
        if (!(await secrets.remove(name, linkerOf(request, caller)))) throw notFound();
        return undefined;
      },
    }),
  ];
}
