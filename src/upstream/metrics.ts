import type { Metrics } from '../lib/metrics.ts';
import type { LinkRefusal } from './model.ts';
import type { UpstreamGrantStore } from './store.ts';

/**
 * How a refresh ended. `invalid_grant`: the provider refused for good; `unavailable`: it did not answer or was in trouble;
 * `refused`: it said something else; `uncommitted`: its answer could not be written yet; `superseded`: the grant had ended
 * or changed meanwhile.
 */
export type RefreshResult =
  | 'success'
  | 'invalid_grant'
  | 'unavailable'
  | 'refused'
  | 'uncommitted'
  | 'superseded';

export type CountRefresh = (provider: string, outcome: RefreshResult) => void;
export type CountLink = (provider: string, outcome: 'success' | LinkRefusal) => void;

/** The series of successes are there from the start, so that their absence means something. */
export function refreshCounts(metrics: Metrics, providers: readonly { name: string }[]): CountRefresh {
  const help = 'Refreshes of tokens at providers, by provider and outcome.';
  const of = (provider: string, outcome: RefreshResult) =>
    metrics.counter('postern_upstream_refreshes_total', help, { provider, outcome });
  for (const { name } of providers) of(name, 'success');
  return (provider, outcome) => of(provider, outcome).inc();
}

export function linkCounts(metrics: Metrics, providers: readonly { name: string }[]): CountLink {
  const help = 'Accounts linked at providers, by provider and outcome.';
  const of = (provider: string, outcome: 'success' | LinkRefusal) =>
    metrics.counter('postern_upstream_links_total', help, { provider, outcome });
  for (const { name } of providers) of(name, 'success');
  return (provider, outcome) => of(provider, outcome).inc();
}

export function observeGrants(metrics: Metrics, store: UpstreamGrantStore): void {
  for (const status of ['active', 'link_again'] as const) {
    const help = 'Accounts at providers that people have linked, by status.';
    metrics.gauge('postern_upstream_grants', help, () => store.count(status), { status });
  }
}
