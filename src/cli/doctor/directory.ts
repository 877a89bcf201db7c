import { type Stats, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_FILE } from '../../config/secret-files.ts';
import { type Check, findingsAbout } from './finding.ts';

const OTHERS = 0o077;
const MEGABYTE = 1_000_000;
const LITTLE_SPACE_MB = 500;
const NO_SPACE_MB = 50;

/** Whether the data directory is there, ours, and private. */
export const checkDirectory: Check = ({ config: { data_dir } }) => {
  const { ok, warn, fail } = findingsAbout('data directory');
  const found = statSync(data_dir, { throwIfNoEntry: false });
  if (found === undefined) return [warn(`${data_dir} is not there yet; the server makes it when it starts`)];
  if (!found.isDirectory()) return [fail(`${data_dir} is not a directory`)];
  if (!isOurs(found)) return [fail(`${data_dir} belongs to another user (uid ${found.uid})`)];
  if ((found.mode & OTHERS) !== 0)
    return [warn(`others can look into ${data_dir}: chmod 700 would keep it private`)];
  return [ok(data_dir)];
};

/** Whether the secret that all keys come from is private. */
export const checkSecret: Check = ({ config: { data_dir, secret } }) => {
  const { ok, warn, fail } = findingsAbout('secret');
  if (secret !== undefined) return [ok('given by the configuration; it is not in backups')];
  const found = statSync(join(data_dir, SECRET_FILE), { throwIfNoEntry: false });
  if (found === undefined) return [warn('there is none yet; the server makes one when it starts')];
  if (!isOurs(found)) return [fail(`it belongs to another user (uid ${found.uid})`)];
  if ((found.mode & OTHERS) !== 0)
    return [fail(`others can read it: chmod 600 ${join(data_dir, SECRET_FILE)}`)];
  return [ok('kept in the data directory')];
};

export const checkDiskSpace: Check = ({ config: { data_dir } }) => {
  const { ok, warn, fail } = findingsAbout('disk space');
  if (statSync(data_dir, { throwIfNoEntry: false }) === undefined) return [];
  const { bavail, bsize } = statfsSync(data_dir);
  const free = Math.floor((bavail * bsize) / MEGABYTE);
  if (free < NO_SPACE_MB) return [fail(`${free} MB left for ${data_dir}: sign-ins will fail`)];
  return [free < LITTLE_SPACE_MB ? warn(`${free} MB left for ${data_dir}`) : ok(`${free} MB left`)];
};

const isOurs = ({ uid }: Stats) =>
  process.getuid === undefined || process.getuid() === uid || process.getuid() === 0;
