import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { escapeHtml, html, raw } from '../../../src/http/html.ts';

describe('a template', () => {
  test('escapes what it is given', () => {
    expect(html`<p title="${'"\''}">${'<b>&'}</p>`.markup).toBe('<p title="&quot;&#39;">&lt;b&gt;&amp;</p>');
  });

  test('takes templates, lists and numbers, and leaves nothing for nothing', () => {
    const rows = ['<1>', '2'].map((cell) => html`<td>${cell}</td>`);
    expect(html`<tr>${rows}</tr>${undefined}${null}${false}${0}${raw('<hr>')}`.markup).toBe(
      '<tr><td>&lt;1&gt;</td><td>2</td></tr>0<hr>',
    );
  });

  test('never lets text become markup', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(html`${text}`.markup).not.toMatch(/[<>"']/);
        expect(escapeHtml(text).replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
    );
  });
});
