import type { Branded } from '../lib/brand.ts';

/** Markup that is safe to send: made by `html`, which escapes, or by `raw`. */
export type Html = Branded<{ readonly markup: string }, 'Html'>;

/** What may stand in a template; `undefined`, `null` and `false` leave nothing. */
export type HtmlValue = string | number | Html | undefined | null | false | readonly HtmlValue[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template whose values are escaped, for text and for attributes in quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return raw(strings.reduce((markup, text, index) => markup + toMarkup(values[index - 1]) + text));
}

/** Takes markup as it is: only ever for text that stands in our source. */
export function raw(markup: string): Html {
  return { markup } as Html;
}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

function toMarkup(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return '';
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return 'markup' in value ? value.markup : value.map(toMarkup).join('');
}
