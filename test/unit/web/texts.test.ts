import { expect, test } from 'bun:test';
import { agoText, bytesText, durationText } from '../../../src/web/time-text.ts';
import { deviceName } from '../../../src/web/user-agent.ts';

const CHROME = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME}`, 'Chrome on Windows'],
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Edg/140.0.0.0`, 'Edge on Windows'],
  [`Mozilla/5.0 (Linux; Android 15; Pixel 9) ${CHROME} OPR/90.0`, 'Opera on Android'],
  [
    'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36',
    'Samsung Internet on Android',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
    'Safari on macOS',
  ],
  [
    'Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1',
    'Chrome on iPad',
  ],
  [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${CHROME}`, 'Chrome on ChromeOS'],
  ['Mozilla/5.0 (X11; Linux x86_64) Something/1.0', 'Browser on Linux'],
  ['curl/8.14.1', 'curl'],
  ['Home Assistant Companion/2026.1 (Linux)', 'Home'],
  ['x'.repeat(300), 'x'.repeat(40)],
  ['  ', 'Unknown browser'],
  ['/', 'Unknown browser'],
  [undefined, 'Unknown browser'],
])('%s is %s', (userAgent, name) => {
  expect(deviceName(userAgent)).toBe(name);
});

test.each([
  [-5_000, 'just now'],
  [59_999, 'just now'],
  [60_000, '1 minute ago'],
  [7_199_999, '1 hour ago'],
  [7_200_000, '2 hours ago'],
  [86_400_000 * 3, '3 days ago'],
])('%d ms are %s', (ms, text) => {
  expect(agoText(ms)).toBe(text);
});

test('a span is told in its largest whole unit', () => {
  expect([1_000, 90 * 60_000, 30 * 86_400_000].map(durationText)).toEqual(['1 minute', '1 hour', '30 days']);
});

test.each([
  [0, '0 B'],
  [1, '1 B'],
  [1_023, '1023 B'],
  [1_024, '1.0 KiB'],
  [150 * 1_024, '150 KiB'],
  [1.5 * 1_024 ** 3, '1.5 GiB'],
  [5_000 * 1_024 ** 4, '5000 TiB'],
])('%d bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));
