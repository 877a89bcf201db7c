import { describe, setDefaultTimeout } from 'bun:test';
import { compiledSite } from '../support/compiled-site.ts';
import { startNodes } from '../support/nodes.ts';
import { forwardAuthSuite } from './suites/forward-auth.ts';

setDefaultTimeout(30_000);

describe('two processes behind a balancer', () => {
  forwardAuthSuite((proxy) => compiledSite(proxy, startNodes));
});
