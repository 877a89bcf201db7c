import { type Browser, chromium } from 'playwright-core';
import { locatePeer } from '../../scripts/peers.ts';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A real browser without a window. */
export async function startChromium(more: readonly string[] = []): Promise<Browser & AsyncDisposable> {
  const executablePath = locatePeer('chromium');
  if (executablePath === undefined) throw new Error('Chromium is missing: apt-get install chromium');
  return chromium.launch({ executablePath, headless: true, args: [...ARGUMENTS, ...more] });
}

/** A fresh profile, with what the browser complains of. */
export async function openProfile(browser: Browser) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  const page = await context.newPage();
  return { context, page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** An argument: the hosts of the guides are those of a proxy at this port; everything else is where it is. */
export function resolveTo(port: number): string {
  const names = ['*.example.org', '*.example.net'];
  return `--host-resolver-rules=${names.map((each) => `MAP ${each} 127.0.0.1:${port}`).join(', ')}`;
}

/** A script of a page that opens a WebSocket, and tells the two messages it got, or that it was closed. */
export function talk(origin: string): string {
  return `new Promise((resolve) => {
    const messages = [];
    const socket = new WebSocket('${origin.replace('https', 'wss')}/socket');
    socket.onclose = () => resolve(['closed']);
    socket.onmessage = ({ data }) => {
      messages.push(data);
      if (messages.length === 1) socket.send('ping');
      else resolve(messages);
    };
  })`;
}
