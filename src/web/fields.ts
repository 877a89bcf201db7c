import { type Html, html, raw } from '../http/html.ts';
import { USERNAME_MAX_LENGTH } from '../users/name.ts';
import { PASSWORD_MIN_LENGTH } from '../users/password-rules.ts';

interface Field {
  name: string;
  label: string;
  type?: 'text' | 'password';
  hint?: string;
  value?: string | undefined;
  autocomplete: string;
  maxLength?: number;
  isOptional?: boolean;
  isFirst?: boolean;
}

/** A labelled input; its hint is read out with it. */
export function field({ name, label, type = 'text', hint, value, ...more }: Field): Html {
  const plain = type === 'text' && raw(' autocapitalize="none" spellcheck="false"');
  return html`<label for="${name}">${label}</label>
${hint !== undefined && html`<p class="hint" id="${name}-hint">${hint}</p>`}
<input id="${name}" name="${name}" type="${type}" autocomplete="${more.autocomplete}"${plain}${
    hint !== undefined && html` aria-describedby="${name}-hint"`
  }${value !== undefined && html` value="${value}"`}${
    more.maxLength !== undefined && html` maxlength="${more.maxLength}"`
  }${more.isOptional !== true && raw(' required')}${more.isFirst === true && raw(' autofocus')}>
`;
}

/** The name and the password of somebody new, with the names that were typed already where they were well formed. */
export function newAccountFields({
  username,
  displayName,
}: {
  username?: string | undefined;
  displayName?: string | undefined;
}): Html {
  return html`${field({
    name: 'username',
    label: 'User name',
    hint: 'Letters, digits, dots, hyphens, underscores. Apps behind this site know you by it; it cannot be changed later.',
    value: username,
    autocomplete: 'username',
    maxLength: USERNAME_MAX_LENGTH,
  })}${field({
    name: 'display_name',
    label: 'Your name',
    hint: 'As others should see it. Optional.',
    value: displayName,
    autocomplete: 'name',
    isOptional: true,
  })}${newPasswordFields()}`;
}

/** A new password, twice: without script nothing else shows a slip. */
export function newPasswordFields(): Html {
  return html`${field({
    name: 'new_password',
    label: 'Password',
    type: 'password',
    hint: `At least ${PASSWORD_MIN_LENGTH} characters, of any kind. A few unrelated words are fine.`,
    autocomplete: 'new-password',
  })}${field({
    name: 'new_password_again',
    label: 'Password, once more',
    type: 'password',
    autocomplete: 'new-password',
  })}`;
}

/**
 * Takes the secret of a link. The page's script fills it from the fragment and hides it; without script people paste
 * it. One that was sent already comes back hidden.
 */
export function linkField(secret: string | undefined): Html {
  if (secret !== undefined) return html`<input type="hidden" name="link" value="${secret}">`;
  return html`<div data-fragment-field>
<label for="link">Link</label>
<p class="hint" id="link-hint">Paste the whole link you were given, or what follows its # sign.</p>
<input id="link" name="link" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="link-hint" required data-from-fragment>
</div>
`;
}

/** What was wrong with a form, read out at once. */
export function errorNotice(message: string | undefined): Html | undefined {
  return message === undefined ? undefined : html`<p class="notice error" role="alert">${message}</p>`;
}
