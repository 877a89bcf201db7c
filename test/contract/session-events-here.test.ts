import { temporaryLedger } from '../support/ledger.ts';
import { describeSessionEvents } from './session-events.ts';

describeSessionEvents('in one process', async () => {
  const t = temporaryLedger();
  return { here: t, there: t, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() };
});
