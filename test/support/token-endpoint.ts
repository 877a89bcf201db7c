import type { ServerResponse } from 'node:http';
import type { LinkSite } from './linked-accounts.ts';

/** What a test does to the token endpoint of the provider where accounts are linked. */

type Site = Pick<LinkSite, 'provider' | 'asked'>;

/** Answers every request for tokens in the provider's place, until `end` is called. */
export function answerTokens(
  { provider, asked }: Site,
  answer: (response: ServerResponse) => void,
): { end(): void } {
  const { intercept } = provider;
  provider.intercept = (path, response, pass) => {
    if (path !== '/token') return intercept?.(path, response, pass);
    asked.push(path);
    answer(response);
  };
  return { end: () => void (provider.intercept = intercept) };
}

/** Where a refresh stands while it is held: the provider has not seen it, or it has given new tokens already. */
export type HeldStep = 'asked' | 'answered';

export interface HeldTokens {
  /** Resolves once the refresh has come so far. */
  arrived: Promise<void>;
  release(): void;
}

/** Holds the next request for tokens, or the answer to it. */
export function holdTokens({ provider }: Site, step: HeldStep): HeldTokens {
  const { intercept } = provider;
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  let release: () => void = () => undefined;
  provider.intercept = (path, response, pass) => {
    if (path !== '/token') return intercept?.(path, response, pass);
    provider.intercept = intercept;
    if (step === 'asked') {
      release = pass;
      arrive();
      return;
    }
    const end = response.end.bind(response);
    response.end = (body?: unknown) => {
      release = () => void end(body);
      arrive();
      return response;
    };
    pass();
  };
  return { arrived, release: () => release() };
}
