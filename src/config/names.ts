import { nearest } from '../lib/nearest.ts';
import { once } from '../lib/once.ts';
import { isNamedList, type KnownKey, knownKeys } from './known-keys.ts';
import { PROVIDER_NAME } from './provider-name.ts';

/** A key by one of its names; in a list of tables, of the element that the name names. */
export interface NamedKey {
  readonly key: KnownKey;
  /** The key's path, the element's name in the place of `*`. */
  readonly path: readonly string[];
}

export const ENVIRONMENT_PREFIX = 'POSTERN_';

/** Longer names are nobody's slip of the hand. */
const MAX_NAME = 96;

/**
 * Keys that have a name outside the file: elements of a list of tables are found by their `name`, if they have one.
 * A table whose names are free has none.
 */
export function isNameable({ path, kind }: KnownKey): boolean {
  if (kind === 'map') return false;
  const star = path.indexOf('*');
  return star === -1 || (isNamedList(path.slice(0, star)) && path[star + 1] !== 'name');
}

const nameable = once(() => knownKeys().filter(isNameable));
const ofElements = once(() => nameable().filter(({ path }) => path.includes('*')));

/** `POSTERN_SESSIONS_CACHE_SIZE`; hyphens of an element's name become underscores. */
export function environmentName(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.join('_').replaceAll('-', '_').toUpperCase();
}

/** `--sessions.cache-size` */
export function flagName(path: readonly string[]): string {
  return `--${path.map((segment) => segment.replaceAll('_', '-')).join('.')}`;
}

const plainByEnvironmentName = once(() => {
  const plain = nameable().filter(({ path }) => !path.includes('*'));
  return new Map(plain.map((key) => [environmentName(key.path), key]));
});

export function keyOfEnvironmentName(name: string): NamedKey | undefined {
  const plain = plainByEnvironmentName().get(name);
  if (plain !== undefined) return { key: plain, path: plain.path };
  return ofElements()
    .flatMap((key) => elementKey(name, key) ?? [])
    .sort((a, b) => b.key.path.length - a.key.path.length || lastLength(b) - lastLength(a))[0];
}

/** `upstream_scopes` of an element also reads as `scopes` of one whose name ends in `-upstream`, which nobody has. */
const lastLength = ({ key }: NamedKey) => key.path.at(-1)?.length ?? 0;

/** `POSTERN_PROVIDER_HOME_LAB_ISSUER` is `issuer` of the provider `home-lab`: what the key leaves over is the name. */
function elementKey(name: string, key: KnownKey): NamedKey | undefined {
  const { before, after } = aroundElement(key);
  const start = `${environmentName(before)}_`;
  const end = `_${after.join('_').toUpperCase()}`;
  if (!name.startsWith(start) || !name.endsWith(end)) return undefined;
  const element = name.slice(start.length, -end.length).toLowerCase().replaceAll('_', '-');
  return PROVIDER_NAME.test(element) ? { key, path: [...before, element, ...after] } : undefined;
}

function aroundElement({ path }: KnownKey): { before: readonly string[]; after: readonly string[] } {
  const star = path.indexOf('*');
  return { before: path.slice(0, star), after: path.slice(star + 1) };
}

/** `name` is without its dashes; underscores do as well as hyphens. */
export function keyOfFlagName(name: string): NamedKey | undefined {
  const segments = name.split('.');
  const key = nameable().find(({ path }) => isFlagOf(path, segments));
  if (key === undefined) return undefined;
  return { key, path: key.path.map((segment, at) => (segment === '*' ? (segments[at] ?? '') : segment)) };
}

function isFlagOf(path: readonly string[], segments: readonly string[]): boolean {
  if (path.length !== segments.length) return false;
  return path.every((segment, at) => {
    const given = segments[at] ?? '';
    return segment === '*' ? PROVIDER_NAME.test(given) : segment === given.replaceAll('-', '_');
  });
}

/** The environment name that was most likely meant. */
export function nearestEnvironmentName(name: string): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  const elements = ofElements().flatMap((key) => elementCandidates(name, key));
  return nearest(name, [...plainByEnvironmentName().keys(), ...elements]);
}

/** Every way in which the words of `name` could be the element's name and this key. */
function elementCandidates(name: string, key: KnownKey): string[] {
  const { before, after } = aroundElement(key);
  const start = `${environmentName(before)}_`;
  if (!name.startsWith(start)) return [];
  const words = name.slice(start.length).split('_');
  return words.slice(0, -1).map((_, at) => {
    const element = words.slice(0, at + 1).join('_');
    return `${start}${element}_${after.join('_').toUpperCase()}`;
  });
}

/** The flag that was most likely meant, dashes included. */
export function nearestFlagName(name: string): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  const segments = name.split('.');
  const candidates = nameable().map(({ path }) =>
    flagName(path.map((segment, at) => (segment === '*' ? (segments[at] ?? segment) : segment))),
  );
  return nearest(`--${name}`, ['--config', ...candidates]);
}
