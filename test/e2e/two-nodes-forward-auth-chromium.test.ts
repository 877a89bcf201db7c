import { describe, setDefaultTimeout } from 'bun:test';
import { compiledSite } from '../support/compiled-site.ts';
import { startNodes } from '../support/nodes.ts';
import { chromiumSuite } from './suites/forward-auth-chromium.ts';

setDefaultTimeout(60_000);

describe('two processes behind a balancer', () => {
  chromiumSuite((proxy) => compiledSite(proxy, startNodes));
});
