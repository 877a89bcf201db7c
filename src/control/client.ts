import { connect, type Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import { type ControlAnswer, type ControlRequest, encodeLine, parseAnswer } from './protocol.ts';

/** What `connect` reports when no process listens: there is no socket, or the one that made it has died. */
const NOBODY_LISTENS = ['ENOENT', 'ECONNREFUSED'];

/**
 * Has the running server perform one act. `undefined`: no server listens at `address`.
 * @throws CommandError when the server went away before it answered, or did not within `patienceMs`; or when the socket may not
 * be opened.
 */
export async function askServer(
  address: string,
  request: ControlRequest,
  { patienceMs, clock = systemClock }: { patienceMs?: number; clock?: Clock } = {},
): Promise<ControlAnswer | undefined> {
  const answer = await sendLine(address, encodeLine(request), (socket) =>
    patienceMs === undefined ? undefined : clock.setTimer(patienceMs, () => socket.destroy()),
  );
  if (answer === undefined) return undefined;
  if (answer.endsWith('\n')) return parseAnswer(answer);
  throw new CommandError('the running postern went away before it answered; look whether the act was done');
}

/** Everything the server sent back. */
function sendLine(
  address: string,
  line: string,
  limit: (socket: Socket) => Timer | undefined,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(address, () => socket.write(line));
    const timer = limit(socket);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => timer?.[Symbol.dispose]());
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (NOBODY_LISTENS.includes(error.code ?? '')) return resolve(undefined);
      // A server that ends while it is asked resets the connection: the same as one that closes it.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return;
      reject(
        new CommandError(`cannot reach the running postern at ${address}: ${error.message}`, 1, {
          cause: error,
        }),
      );
    });
  });
}
