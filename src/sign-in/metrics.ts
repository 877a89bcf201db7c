import type { Metrics } from '../lib/metrics.ts';
import type { SignInRefusal } from './model.ts';

export type SignInResult = 'success' | 'refused' | 'rate_limited' | SignInRefusal;

/** Counts how sign-ins ended. `provider` is a configured name, or `local`. */
export type CountSignIn = (provider: string, outcome: SignInResult) => void;

export function signInCounts(metrics: Metrics): CountSignIn {
  return (provider, outcome) =>
    metrics
      .counter('postern_sign_ins_total', 'Sign-ins, by provider and outcome.', { provider, outcome })
      .inc();
}

export type CountLogout = (provider: string, outcome: 'success' | 'refused' | 'unavailable') => void;

export function backchannelLogoutCounts(metrics: Metrics): CountLogout {
  const help = 'Logout tokens received from providers, by outcome.';
  return (provider, outcome) =>
    metrics.counter('postern_backchannel_logouts_total', help, { provider, outcome }).inc();
}
