import { posix } from 'node:path';

/** Features in their order: each imports only those before it. */
const FEATURES = [
  'audit',
  'users',
  'sessions',
  'sign-in',
  'upstream',
  'authorization-server',
  'forward-auth',
  'mcp',
  'signatures',
  'tunnel',
  'devices',
  'agent',
  'artifacts',
  'ops',
  'web',
  'cli',
] as const;

/** `control` is the socket by which commands reach the running server: a connection, like the database's. */
const INFRASTRUCTURE_LAYERS: Readonly<Record<string, number>> = {
  lib: 0,
  config: 1,
  db: 2,
  redis: 2,
  control: 2,
  http: 5,
};

/** Roles that a feature's file names claim; the first that matches counts, and layer 4 is for the others. */
const ROLE_LAYERS: readonly (readonly [RegExp, number])[] = [
  [/^(?:model|constants)\.ts$/, 1],
  [/^store(?:-[a-z-]+)?\.ts$/, 3],
  [/^(?:routes|dto|guard|pages)(?:-[a-z-]+)?\.ts$/, 6],
];
const FEATURE_LAYER = 4;

/** Files that belong to no folder: they put the others together. */
const ON_TOP: Readonly<Record<string, number>> = {
  'services.ts': 7,
  'services-redis.ts': 7,
  'app.ts': 7,
  'app-routes.ts': 7,
  'main.ts': 8,
};

/** The layer of a file by its path below `src/`; `undefined` when its folder has no place in the order. */
export function layerOf(path: string): number | undefined {
  const [folder = '', ...rest] = path.split('/');
  if (rest.length === 0) return ON_TOP[folder];
  if (folder === 'web') return 6;
  if (folder === 'cli') return 8;
  const infrastructure = INFRASTRUCTURE_LAYERS[folder];
  if (infrastructure !== undefined) return infrastructure;
  if (featureOf(path) === undefined) return undefined;
  const role = ROLE_LAYERS.find(([pattern]) => pattern.test(posix.basename(path)));
  return role?.[1] ?? FEATURE_LAYER;
}

/** The place of a file's feature in the order; `undefined` for infrastructure and the files on top. */
export function featureOf(path: string): number | undefined {
  const [folder = ''] = path.split('/');
  const index = FEATURES.findIndex((feature) => feature === folder);
  return index === -1 || !path.includes('/') ? undefined : index;
}
