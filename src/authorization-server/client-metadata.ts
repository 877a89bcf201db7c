import { z } from 'zod';
import { AppError } from '../lib/app-error.ts';
import { MAX_CLIENT_NAME_LENGTH, MAX_REDIRECT_URIS } from './constants.ts';
import type { ClientMetadata } from './model.ts';
import { isAcceptableRedirectUri } from './redirect-uri.ts';

const texts = z.array(z.string()).max(MAX_REDIRECT_URIS);

/** RFC 7591 section 2, as far as it means something here; what else is sent is ignored (section 3.1). */
const schema = z.object({
  redirect_uris: texts.min(1),
  client_name: z.string().optional(),
  token_endpoint_auth_method: z.string().optional(),
  grant_types: texts.optional(),
  response_types: texts.optional(),
});

/** Methods whose clients do as well without: they are told `none` (RFC 7591 section 2 lets the server decide). */
const REPLACED_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post'];

/** Invisible characters and those that turn the direction of text would let a name say something else than it is. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

export interface MetadataRules {
  privateUseSchemes: readonly string[];
  /** A client without a name is called this. */
  fallbackName: string;
  /** Whether a method that needs a secret is replaced by `none`. */
  mayReplaceAuthMethod: boolean;
}

/**
 * Reads the metadata of a public client that uses the code flow.
 * @throws AppError `bad_request` (`invalid_redirect_uri`, `invalid_client_metadata`; RFC 7591 section 3.2.2).
 */
export function readClientMetadata(value: unknown, rules: MetadataRules): ClientMetadata {
  const { success, data } = schema.safeParse(value);
  if (!success) throw invalid('the metadata is malformed, or redirect_uris is missing');
  requirePublicClient(data.token_endpoint_auth_method, rules);
  if (data.grant_types?.includes('authorization_code') === false) {
    throw invalid('grant_types lacks authorization_code');
  }
  if (data.response_types?.includes('code') === false) throw invalid('response_types lacks code');
  for (const uri of data.redirect_uris) {
    if (!isAcceptableRedirectUri(uri, rules.privateUseSchemes)) throw invalidRedirectUri();
  }
  return { name: cleanName(data.client_name, rules.fallbackName), redirectUris: data.redirect_uris };
}

function requirePublicClient(method: string | undefined, { mayReplaceAuthMethod }: MetadataRules): void {
  const accepted = mayReplaceAuthMethod ? REPLACED_AUTH_METHODS : ['none'];
  if (method !== undefined && !accepted.includes(method)) throw invalid('only public clients are taken');
}

/** One line, without what cannot be seen, and short. */
function cleanName(name: string | undefined, fallback: string): string {
  const clean = (name ?? '').replaceAll(DECEPTIVE, ' ').replaceAll(/\s+/g, ' ').trim();
  return Array.from(clean === '' ? fallback : clean)
    .slice(0, MAX_CLIENT_NAME_LENGTH)
    .join('');
}

const invalid = (message: string) => new AppError('bad_request', 'invalid_client_metadata', message);
const invalidRedirectUri = () =>
  new AppError(
    'bad_request',
    'invalid_redirect_uri',
    'a redirect URI is neither https, nor http on loopback, nor of a program known here; or it has a user or fragment',
  );
