import { posix } from 'node:path';
import { CAPABILITIES, type Capability } from './capabilities.ts';
import { featureOf, layerOf } from './layers.ts';
import { type ImportStatement, type ScannedSource, scanSource } from './scan.ts';

/** Text of source files by their path below `src/`. */
export type Sources = Readonly<Record<string, string>>;

export interface Violation {
  rule: 'place' | 'layer' | 'feature order' | 'cycle' | 'capability' | 'computed import';
  file: string;
  detail: string;
}

/** Everything in which the sources break the house rules; empty when they hold. */
export function checkArchitecture(sources: Sources): Violation[] {
  const scanned = new Map(Object.entries(sources).map(([path, text]) => [path, scanSource(text)]));
  return [
    ...[...scanned].flatMap(([path, source]) => [
      ...checkPlace(path),
      ...checkImports(path, source),
      ...checkCapabilities(path, source),
    ]),
    ...findCycles(scanned),
  ];
}

function checkPlace(file: string): Violation[] {
  if (layerOf(file) !== undefined) return [];
  return [{ rule: 'place', file, detail: 'its folder has no layer; name it in the order of features' }];
}

function checkImports(file: string, source: ScannedSource): Violation[] {
  const computed = {
    rule: 'computed import' as const,
    file,
    detail: 'imports a name that is computed; write it out',
  };
  return [
    ...(source.hasComputedImport ? [computed] : []),
    ...relativeTargets(file, source.imports).flatMap((target) => checkOneImport(file, target)),
  ];
}

function checkOneImport(file: string, target: string): Violation[] {
  const violations: Violation[] = [];
  const [from, to] = [layerOf(file), layerOf(target)];
  if (from !== undefined && to !== undefined && to > from) {
    violations.push({ rule: 'layer', file, detail: `layer ${from} imports ${target} of layer ${to}` });
  }
  const [feature, other] = [featureOf(file), featureOf(target)];
  if (feature !== undefined && other !== undefined && other > feature) {
    violations.push({ rule: 'feature order', file, detail: `imports ${target} of a later feature` });
  }
  return violations;
}

function checkCapabilities(file: string, source: ScannedSource): Violation[] {
  return CAPABILITIES.filter(({ mayUse }) => !mayUse(file)).flatMap((capability) =>
    usesOf(capability, source).map((found) => ({
      rule: 'capability' as const,
      file,
      detail: `${capability.name}: uses ${found}; ${capability.instead}`,
    })),
  );
}

function usesOf(
  { modules, typesAreFree = false, code: pattern }: Capability,
  { code, imports }: ScannedSource,
): string[] {
  const imported = imports
    .filter(({ specifier, kind }) => modules?.test(specifier) === true && !(typesAreFree && kind === 'type'))
    .map(({ specifier }) => specifier);
  const used = pattern === undefined ? null : pattern.exec(code);
  return used === null ? imported : [...imported, used[0].trim()];
}

/** Circles of imports that happen at loading: what a module finds in one depends on who was loaded first. */
function findCycles(scanned: ReadonlyMap<string, ScannedSource>): Violation[] {
  const violations: Violation[] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]) => {
    const start = trail.indexOf(file);
    if (start !== -1) {
      violations.push({ rule: 'cycle', file, detail: [...trail.slice(start), file].join(' → ') });
      return;
    }
    const source = scanned.get(file);
    if (source === undefined || finished.has(file)) return;
    const atLoading = source.imports.filter(({ kind }) => kind === 'static');
    for (const target of relativeTargets(file, atLoading)) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of scanned.keys()) visit(file, []);
  return violations;
}

/** Paths below `src/` of the files that are imported by a relative name; `../` in front is outside, and has no layer. */
function relativeTargets(file: string, imports: readonly ImportStatement[]): string[] {
  return imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => posix.normalize(posix.join(posix.dirname(file), specifier)));
}
