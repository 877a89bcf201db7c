import { version } from '../../package.json' with { type: 'json' };

export interface BuildInfo {
  version: string;
  /** The commit it was built from; absent when it runs from source, or was built outside a checkout. */
  commit?: string;
}

/** Put in place by `build.ts`. */
declare const POSTERN_BUILD: BuildInfo | undefined;

export const buildInfo: BuildInfo = typeof POSTERN_BUILD === 'undefined' ? { version } : POSTERN_BUILD;
