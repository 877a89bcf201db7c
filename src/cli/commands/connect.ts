import { type Connector, connector } from '../../agent/connect.ts';
import { readText } from '../../config/read-text.ts';
import { systemClock } from '../../lib/clock.ts';
import { CommandError } from '../../lib/command-error.ts';
import { isLoopbackName } from '../../lib/loopback.ts';
import type { CommandContext, CommandRun } from '../command.ts';
import { promptSecret } from '../prompt-secret.ts';
import { endStart } from '../serve/end-start.ts';

const TOKEN_VARIABLE = 'POSTERN_TOKEN';
const SERVER_VARIABLE = 'POSTERN_SERVER';

/** Brings a TCP service of a device to a local port, or to standard input and output. */
export const connect: CommandRun = async (context) => {
  const { args } = context;
  if (args.has('stdio') && args.has('listen')) throw wrongUse('--stdio and --listen exclude each other');
  const server = serverOf(context);
  using _started = endStart(systemClock);
  using line = connector({
    server,
    device: args.operand('DEVICE'),
    service: args.operand('SERVICE'),
    token: await tokenOf(context),
    ca: caOf(context),
    clock: systemClock,
  });
  if (args.has('stdio')) await overStdio(line);
  else await overPort(line, context);
};

async function overStdio(line: Connector): Promise<void> {
  const { joinStdio } = await import('../connect/stdio.ts');
  await joinStdio(line);
}

async function overPort(line: Connector, context: CommandContext): Promise<void> {
  const { listenFor } = await import('../connect/listen.ts');
  await listenFor(line, context.args.value('listen') ?? '127.0.0.1:0', context.io);
}

function serverOf({ args, io }: CommandContext): string {
  const text = args.value('server') ?? io.env[SERVER_VARIABLE];
  if (text === undefined) throw wrongUse(`which server? --server https://…, or ${SERVER_VARIABLE}`);
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackName(url.hostname));
  if (url === null || !isSafe) throw wrongUse('the server is an address like https://auth.example.com');
  return url.origin;
}

/** Never an argument: everybody on a machine sees those. */
async function tokenOf({ args, io }: CommandContext): Promise<string> {
  const file = args.value('token-file');
  const given = file === undefined ? io.env[TOKEN_VARIABLE] : readFile(file, '--token-file');
  const token = (
    given ?? (args.has('stdio') ? undefined : await promptSecret('Personal token: ', io))
  )?.trim();
  if (token === undefined || token === '')
    throw wrongUse(`a personal token is needed: ${TOKEN_VARIABLE}, or --token-file`);
  if (!/^[\x21-\x7e]+$/.test(token)) throw wrongUse('that is no token');
  return token;
}

function caOf({ args }: CommandContext): string | undefined {
  const file = args.value('ca');
  return file === undefined ? undefined : readFile(file, '--ca');
}

function readFile(path: string, flag: string): string {
  try {
    return readText(path);
  } catch (error) {
    throw wrongUse(`${flag}: ${error instanceof Error ? error.message : 'it cannot be read'}`);
  }
}

const wrongUse = (complaint: string) => new CommandError(`${complaint}\nSee: postern help connect`, 2);
