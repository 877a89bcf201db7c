import { buildInfo } from '../../lib/build-info.ts';
import { lineSplitter } from '../../mcp/line-splitter.ts';
import { whoamiServer } from '../../mcp/whoami.ts';
import type { CommandRun } from '../command.ts';

/** Longer messages mean nothing to this server. */
const MAX_LINE_BYTES = 65_536;

/** The MCP server that is built in, on standard input and output, for the person whom its environment names. */
export const mcpWhoami: CommandRun = async ({ io }) => {
  const { env } = io;
  const answer = whoamiServer({
    person: {
      id: env['WHOAMI_ID'] ?? '',
      username: env['WHOAMI_USERNAME'] ?? '',
      name: env['WHOAMI_NAME'] ?? '',
      email: env['WHOAMI_EMAIL'] ?? '',
    },
    version: buildInfo.version,
  });
  const lines = lineSplitter({
    maxBytes: MAX_LINE_BYTES,
    onLine(line) {
      const reply = answer(parse(line));
      if (reply !== undefined) io.out(JSON.stringify(reply));
    },
    onLong: () => undefined,
  });
  for await (const chunk of Bun.stdin.stream()) lines.push(chunk);
  lines.end();
};

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
