import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/config.ts';
import type { Environment } from '../../src/config/env.ts';
import { ConfigError, type Problem } from '../../src/config/problem.ts';
import type { Config } from '../../src/config/schema.ts';
import { temporaryDirectory } from './database.ts';

interface Given {
  argv?: readonly string[];
  env?: Environment;
}

/** A working directory with a configuration file in it. */
export interface ConfigDirectory extends Disposable {
  readonly path: string;
  /** Writes another file into it. */
  write(name: string, content: string | Uint8Array): string;
  load(given?: Given): Config;
  /** What was refused; fails when nothing was, or when anything else was thrown. */
  refusal(given?: Given): ConfigError;
}

/** `toml` becomes its `postern.toml`; without it there is none. */
export function configDirectory(toml?: string): ConfigDirectory {
  const directory = temporaryDirectory();
  const write = (name: string, content: string | Uint8Array) => {
    const path = join(directory.path, name);
    writeFileSync(path, content);
    return path;
  };
  if (toml !== undefined) write('postern.toml', toml);
  const load = ({ argv = [], env = {} }: Given = {}) => loadConfig({ argv, env, cwd: directory.path });
  return {
    path: directory.path,
    write,
    load,
    refusal(given) {
      try {
        load(given);
      } catch (error) {
        if (error instanceof ConfigError) return error;
        throw error;
      }
      throw new Error('the configuration was accepted');
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

/** What is wrong with a configuration file. */
export function problemsOf(toml: string, given?: Given): readonly Problem[] {
  using directory = configDirectory(toml);
  return directory.refusal(given).problems;
}
