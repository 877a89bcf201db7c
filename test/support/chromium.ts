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
