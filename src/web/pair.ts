import { html } from '../http/html.ts';
import { pageResponse } from '../http/page.ts';
import type { Router } from '../http/router.ts';

/**
 * `/pair`: where the link of a pairing leads when a person opens it instead of a device. What stands behind its `#` never leaves the
 * browser; nothing on this page reads it.
 */
export function pairPage(router: Router): void {
  router.get('/pair', () =>
    pageResponse({
      title: 'This link is for a device',
      narrow: true,
      headers: { 'referrer-policy': 'no-referrer' },
      body: html`<p>You have opened a link that pairs a device. It is the device that has to get it, not you.</p>
<ol>
<li>Install <strong>postern</strong> on the device. It is one file.</li>
<li>Copy the whole address of this page, with what stands behind the <code>#</code>.</li>
<li>On the device, type:<pre>postern agent --join "the address"</pre></li>
<li>From then on, start it with <code>postern agent</code>.</li>
</ol>
<p>The link works once, and for a few minutes. Whoever has it can pair a device with the person who made it, so show it to nobody.</p>
<p>Did somebody send you this, and you do not know what it is? Close the page: nothing has happened.</p>`,
    }),
  );
}
