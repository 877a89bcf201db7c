import type { Logger } from '../../lib/log.ts';

/**
 * A rejection that nobody handles is a bug of one request or one loop; it is logged with its stack, and everybody else
 * keeps being served. Until disposed of.
 */
export function logStrays(log: Logger): Disposable {
  const onRejection = (error: unknown) => {
    log.error('a bug: a rejection that nobody handled', {
      error,
      stack: error instanceof Error ? error.stack : undefined,
    });
  };
  process.on('unhandledRejection', onRejection);
  return { [Symbol.dispose]: () => void process.off('unhandledRejection', onRejection) };
}
