import { AuthorizationError } from './model.ts';

/** What the client wants of the person (OpenID Connect Core section 3.1.2.1). */
export interface Prompt {
  /** No page may be shown. */
  readonly none: boolean;
  /** Consent is asked for, whatever would spare it. */
  readonly consent: boolean;
}

/** @throws AuthorizationError `invalid_request` when `none` comes with something else. */
export function checkPrompt(prompt: string | undefined): Prompt {
  const values = (prompt ?? '').split(' ').filter((value) => value !== '');
  const none = values.includes('none');
  if (none && values.length > 1) {
    throw new AuthorizationError('invalid_request', 'prompt is none and something else');
  }
  return { none, consent: values.length > 0 && !none };
}
