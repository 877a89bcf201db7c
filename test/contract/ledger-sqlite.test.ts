import { temporaryLedger } from '../support/ledger.ts';
import { describeLedger } from './ledger.ts';

describeLedger('SQLite', async (options) => temporaryLedger(options));
