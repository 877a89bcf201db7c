import type { Io } from './io.ts';

const ENTER = /[\r\n]/;
const CANCEL = ['\u0003', '\u0004'];
const BACKSPACE = ['\u0008', '\u007f'];

/** Asks the person at the terminal for a secret, which is not shown. `undefined` where there is no terminal, or they leave. */
export async function promptSecret(question: string, io: Pick<Io, 'err'>): Promise<string | undefined> {
  const { stdin } = process;
  // Bun leaves it undefined where there is no terminal.
  if (!('isTTY' in stdin) || !stdin.isTTY) return undefined;
  // Before the question is there: whoever answers it at once is not shown either.
  stdin.setRawMode(true);
  io.err(question);
  stdin.setEncoding('utf8');
  let typed = '';
  try {
    for await (const piece of stdin as AsyncIterable<string>) {
      for (const sign of piece) {
        if (ENTER.test(sign)) return typed;
        if (CANCEL.includes(sign)) return undefined;
        typed = BACKSPACE.includes(sign) ? typed.slice(0, -1) : typed + sign;
      }
    }
    return undefined;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    io.err('\n');
  }
}
