import { z } from 'zod';
import { PROVIDER_NAME } from '../config/provider-name.ts';
import { instantText } from '../lib/instant.ts';
import type { LinkedAccount } from './accounts.ts';
import { SECRET_MAX_LENGTH, type SecretState } from './secrets.ts';

/** Names as placeholders have them, `${secret.NAME}`: whatever the configuration may ask for can be given. */
export const secretName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, { error: 'the name of a secret' });

export const providerName = z.string().regex(PROVIDER_NAME, { error: 'the name of a provider' });

export const linkDto = z
  .strictObject({
    provider: z.string(),
    label: z.string().describe('what people read'),
    backends: z.array(z.string()).describe('MCP backends that are given its tokens'),
    status: z.enum(['linked', 'not_linked', 'link_again']),
    reason: z.string().nullable().describe('why it has to be linked again'),
    account: z.string().nullable().describe('what the provider calls the account'),
    scope: z.string().nullable().describe('what was granted, as the provider says it'),
    linked_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().nullable().describe('when the access token ends'),
    refreshed: z.boolean().describe('whether it is refreshed by itself'),
    link_url: z.string().nullable().describe('page where a person links it; absent where nobody can'),
  })
  .meta({ id: 'Link', description: 'An account at a provider, without its tokens.' });

export const linkListDto = z.strictObject({ links: z.array(linkDto) }).meta({ id: 'LinkList' });

export const unlinkedDto = z
  .strictObject({
    provider: z.string(),
    at_provider: z
      .enum(['revoked', 'not_told', 'unsupported'])
      .describe('whether the provider was told; otherwise take the access back there'),
  })
  .meta({ id: 'Unlinked' });

export const newSecretDto = z
  .strictObject(
    {
      name: secretName.describe('as backends ask for it'),
      value: z
        .string({ error: 'a text' })
        .max(SECRET_MAX_LENGTH + 64, { error: `at most ${SECRET_MAX_LENGTH} characters` })
        .describe('one line of printable ASCII; nobody reads it back'),
    },
    { error: 'an object' },
  )
  .meta({ id: 'NewSecret' });

export const secretDto = z
  .strictObject({
    name: z.string(),
    backends: z.array(z.string()).describe('MCP backends that are given it'),
    updated_at: z.iso.datetime().nullable().describe('absent: it has not been given'),
  })
  .meta({ id: 'Secret', description: 'A pasted secret, without its value.' });

export const secretListDto = z.strictObject({ secrets: z.array(secretDto) }).meta({ id: 'SecretList' });

const instant = (at: number | undefined) => (at === undefined ? null : instantText(at));

export function toLinkDto(
  one: LinkedAccount,
  linkUrl: (provider: string, returnTo: string) => string,
): z.input<typeof linkDto> {
  return {
    provider: one.provider,
    label: one.label,
    backends: [...one.backends],
    status: one.status,
    reason: one.endReason ?? null,
    account: one.account ?? null,
    scope: one.scope ?? null,
    linked_at: instant(one.linkedAt),
    expires_at: instant(one.expiresAt),
    refreshed: one.isRefreshed,
    link_url: one.isConfigured ? linkUrl(one.provider, '/account/links') : null,
  };
}

export function toSecretDto({ name, backends, updatedAt }: SecretState): z.input<typeof secretDto> {
  return { name, backends: [...backends], updated_at: instant(updatedAt) };
}
