import type { ProviderConfig, UpstreamProviderConfig } from '../../config/schema.ts';
import { systemClock } from '../../lib/clock.ts';
import { FetchError, fetchConfigured } from '../../lib/safe-fetch.ts';
import { type Check, type Finding, findingsAbout } from './finding.ts';

const MAX_METADATA_BYTES = 1024 * 1024;
/** Tokens are refused for less: most libraries allow half a minute to five. */
const MAX_CLOCK_DIFFERENCE_MS = 30_000;

/** Whether every provider can be discovered (OpenID Connect Discovery section 4). */
export const checkProviders: Check = async ({ config: { provider, upstream, sign_in } }) => {
  const none =
    provider.length === 0 ? [findingsAbout('provider').ok('none: people have local accounts')] : [];
  const asked = [
    ...provider.map((each) => discover('provider', each, sign_in.discovery_timeout)),
    ...upstream.provider.map((each) => discover('upstream.provider', each, sign_in.discovery_timeout)),
  ];
  return [...none, ...(await Promise.all(asked)).flat()];
};

type Known = Pick<ProviderConfig | UpstreamProviderConfig, 'name' | 'kind' | 'issuer'>;

async function discover(list: string, { name, kind, issuer }: Known, timeoutMs: number): Promise<Finding[]> {
  const { ok, fail } = findingsAbout(`${list} ${name}`);
  if (kind !== 'oidc' || issuer === undefined) return [ok(`${kind}: it publishes nothing to look at`)];
  try {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetchConfigured(
      url,
      {},
      { clock: systemClock, timeoutMs, maxBytes: MAX_METADATA_BYTES },
    );
    if (response.status !== 200) return [fail(`${url} answers ${response.status}`)];
    const metadata: unknown = await response.json();
    const published = issuerOf(metadata);
    if (!isSameIssuer(published, issuer))
      return [fail(`it calls itself ${String(published)}; issuer has to be exactly that`)];
    return [ok(issuer), ...clockFindings(response)];
  } catch (error) {
    if (error instanceof FetchError) return [fail(`${issuer}: ${error.message}`)];
    return [fail(`${issuer} answers with something that is no provider metadata`)];
  }
}

/** As sign-in compares them: a slash that is the whole path makes no difference. */
function isSameIssuer(published: unknown, issuer: string): boolean {
  return typeof published === 'string' && URL.parse(published)?.href === new URL(issuer).href;
}

function issuerOf(metadata: unknown): unknown {
  return typeof metadata === 'object' && metadata !== null && 'issuer' in metadata
    ? metadata.issuer
    : undefined;
}

/** A provider's tokens say when they were made; with clocks too far apart they come from the future or the past. */
function clockFindings(response: Response): Finding[] {
  const theirs = Date.parse(response.headers.get('date') ?? '');
  const difference = systemClock.now() - theirs;
  if (Number.isNaN(theirs) || Math.abs(difference) < MAX_CLOCK_DIFFERENCE_MS) return [];
  const seconds = Math.round(Math.abs(difference) / 1000);
  const direction = difference > 0 ? 'ahead of' : 'behind';
  return [
    findingsAbout('clock').warn(
      `this machine is ${seconds} s ${direction} the provider; its tokens may be refused`,
    ),
  ];
}
