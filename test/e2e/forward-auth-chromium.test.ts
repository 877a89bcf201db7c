import { setDefaultTimeout } from 'bun:test';
import { compiledSite } from '../support/compiled-site.ts';
import { chromiumSuite } from './suites/forward-auth-chromium.ts';

setDefaultTimeout(60_000);

chromiumSuite((proxy) => compiledSite(proxy));
