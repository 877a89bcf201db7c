import { setDefaultTimeout } from 'bun:test';
import { compiledSignIn } from '../support/compiled-sign-in.ts';
import { signInSuite } from './suites/sign-in.ts';

setDefaultTimeout(60_000);

signInSuite(() => compiledSignIn());
