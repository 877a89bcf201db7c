import { readFileSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { CommandError } from '../lib/command-error.ts';
import type { Logger } from '../lib/log.ts';
import { startLoop } from '../lib/loop.ts';
import { checkMaterial, type TlsMaterial, type TlsSource } from './tls-source.ts';

export interface TlsFilesOptions {
  /** Paths of PEM files. */
  cert: string;
  key: string;
  clock: Clock;
  log: Logger;
}

/** How often the files are looked at. Watching them would miss what renewal tools do with links and mounts. */
const LOOK_EVERY_MS = 10_000;

/**
 * The operator's certificate. Files that changed are taken once they go together; until then the old ones stay.
 * @throws CommandError (exit 2) when they are no good at the start.
 */
export function tlsFromFiles({ cert, key, clock, log }: TlsFilesOptions): TlsSource {
  const read = (): TlsMaterial => ({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });
  let current = readAtStart(read);
  let fingerprint = checkMaterial(current).fingerprint256;
  let complaint: string | undefined;
  let apply: ((material: TlsMaterial) => void) | undefined;

  const take = () => {
    const found = read();
    if (found.cert === current.cert && found.key === current.key) return;
    const certificate = checkMaterial(found);
    current = found;
    fingerprint = certificate.fingerprint256;
    apply?.(found);
    log.info('took a new certificate', { file: cert, fingerprint, good_until: certificate.validTo });
  };
  const look = async () => {
    const before = complaint;
    try {
      take();
      complaint = undefined;
    } catch (error) {
      complaint = reasonOf(error);
      if (complaint !== before) log.warn('the certificate stays as it is', { file: cert, reason: complaint });
    }
  };
  const loop = startLoop({ name: 'tls', everyMs: LOOK_EVERY_MS, clock, log, run: look });

  return {
    get current() {
      return current;
    },
    get fingerprint() {
      return fingerprint;
    },
    onChange(listener) {
      apply = listener;
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

function readAtStart(read: () => TlsMaterial): TlsMaterial {
  try {
    const material = read();
    checkMaterial(material);
    return material;
  } catch (error) {
    throw new CommandError(`tls: ${reasonOf(error)}`, 2, { cause: error });
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : 'it cannot be read');
