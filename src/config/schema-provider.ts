import { z } from 'zod';
import { issuerFault } from './faults.ts';
import { PROVIDER_NAME } from './provider-name.ts';
import { checkedText, choice, text } from './values.ts';

/** Keys that every provider has, whether people sign in through it or only link accounts. What is told of them differs. */
export const providerName = () =>
  z
    .string({ error: 'a short name' })
    .regex(PROVIDER_NAME, { error: 'lower-case letters, digits and hyphens, at most 32' })
    .describe('short name; it stands in the redirect URI `/callback/<name>`');

export const issuer = (description: string) =>
  checkedText('an https URL', issuerFault).optional().describe(description);

/** How we are known at the provider. */
export const clientKeys = () => ({
  client_id: text('the client id').describe('client id registered at the provider'),
  client_secret: text('the client secret')
    .meta({ secret: true })
    .describe('client secret registered at the provider'),
  token_endpoint_auth_method: choice(['client_secret_basic', 'client_secret_post'])
    .optional()
    .describe('how the secret is sent; by default what the provider lists, `client_secret_basic` first'),
});
