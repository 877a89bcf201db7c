import { type Html, html } from '../http/html.ts';
import { instantText } from '../lib/instant.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** An instant (epoch milliseconds) as people read it. The server does not know their time zone: it is UTC. */
export function instant(at: number): Html {
  const text = instantText(at);
  return html`<time datetime="${text}">${text.slice(0, 16).replace('T', ' ')} UTC</time>`;
}

/** How long ago that was; the exact instant stands behind it. */
export function ago(at: number, now: number): Html {
  const text = instantText(at);
  return html`<time datetime="${text}" title="${text.slice(0, 16).replace('T', ' ')} UTC">${agoText(now - at)}</time>`;
}

export function agoText(ms: number): string {
  if (ms < MINUTE_MS) return 'just now';
  return `${durationText(ms)} ago`;
}

/** A span in its largest whole unit. */
export function durationText(ms: number): string {
  if (ms >= DAY_MS) return plural(ms / DAY_MS, 'day');
  return ms >= HOUR_MS ? plural(ms / HOUR_MS, 'hour') : plural(Math.max(ms / MINUTE_MS, 1), 'minute');
}

function plural(amount: number, unit: string): string {
  const whole = Math.floor(amount);
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** An amount of bytes in the unit that leaves it between 1 and 1024. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const amount = bytes / 1024 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[power]}`;
}
