import { describe, setDefaultTimeout } from 'bun:test';
import { compiledSignIn } from '../support/compiled-sign-in.ts';
import { startNodes } from '../support/nodes.ts';
import { signInSuite } from './suites/sign-in.ts';

setDefaultTimeout(60_000);

describe('two processes behind a balancer', () => {
  signInSuite(() => compiledSignIn(startNodes));
});
