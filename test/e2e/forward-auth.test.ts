import { setDefaultTimeout } from 'bun:test';
import { compiledSite } from '../support/compiled-site.ts';
import { forwardAuthSuite } from './suites/forward-auth.ts';

setDefaultTimeout(30_000);

forwardAuthSuite((proxy) => compiledSite(proxy));
