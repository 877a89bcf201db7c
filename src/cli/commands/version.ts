import { buildInfo } from '../../lib/build-info.ts';
import type { CommandRun } from '../command.ts';

export const version: CommandRun = async ({ io }) => {
  const { version, commit } = buildInfo;
  io.out(`postern ${version}${commit === undefined ? '' : ` (${commit})`}`);
};
