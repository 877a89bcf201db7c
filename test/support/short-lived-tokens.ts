import type { McpSiteOptions } from './mcp-site.ts';
import { LIFETIMES_SECONDS } from './oidc-provider.ts';

/** Life of an access token at the provider of such a site, in seconds: it is refreshed when half of it is over. */
export const TOKEN_LIFE_SECONDS = 6;

/** A provider whose access tokens end soon, and whose refresh tokens do not. */
export const SHORT_LIVED_TOKENS = {
  providerToml: 'scopes = ["openid", "profile", "offline_access"]',
  providerConfiguration: {
    issueRefreshToken: () => true,
    ttl: { ...LIFETIMES_SECONDS, AccessToken: TOKEN_LIFE_SECONDS },
  },
} as const satisfies Partial<McpSiteOptions>;

/** More of an `[[mcp]]` table: its server is given the token, as `UPSTREAM`. */
export const GIVEN_THE_TOKEN = 'provider = "home"\n\n[mcp.env]\nUPSTREAM = "${upstream.access_token}"';
