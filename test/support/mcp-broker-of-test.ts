import { afterEach, expect } from 'bun:test';
import { type TemporaryBroker, temporaryBroker } from './mcp-broker.ts';

/** Opens the broker of a test; it is closed after each, and may leave no child. To be called once in a file. */
export function brokerOfTest(): typeof temporaryBroker {
  let open: TemporaryBroker | undefined;
  afterEach(async () => {
    await open?.[Symbol.asyncDispose]();
    expect(open?.alive() ?? 0).toBe(0);
    open = undefined;
  });
  return (options) => {
    open = temporaryBroker(options);
    return open;
  };
}
