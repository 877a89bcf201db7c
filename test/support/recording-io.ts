import type { Io } from '../../src/cli/io.ts';

export interface RecordingIo extends Io {
  outText(): string;
  errText(): string;
}

/** Streams that keep what is written to them. */
export function recordingIo(over: Partial<Io> = {}): RecordingIo {
  let out = '';
  let err = '';
  return {
    out: (line) => {
      out += `${line}\n`;
    },
    err: (text) => {
      err += text;
    },
    outIsTerminal: false,
    errIsTerminal: false,
    env: {},
    workingDir: process.cwd(),
    ...over,
    outText: () => out,
    errText: () => err,
  };
}
