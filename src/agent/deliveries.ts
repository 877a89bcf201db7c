import { z } from 'zod';
import { CommandError } from '../lib/command-error.ts';
import { FetchError } from '../lib/safe-fetch.ts';
import { askSigned, type ServerAnswer, type SignerDeps, whyUnreachable } from './server-api.ts';

/** A message that somebody left for this device. */
export interface Delivery {
  readonly id: string;
  /** Rises from one to the next. */
  readonly sequence: number;
  readonly body: unknown;
  readonly created_at: string;
  readonly expires_at: string;
}

export interface Receipt {
  readonly outcome: 'done' | 'failed';
  /** For people. */
  readonly note?: string | undefined;
}

const PATH = '/api/v1/device/deliveries';

const answerSchema = z.object({
  deliveries: z.array(
    z.object({
      id: z.string(),
      sequence: z.int(),
      body: z.unknown(),
      created_at: z.string(),
      expires_at: z.string(),
    }),
  ),
});

/** What waits for this device, oldest first; the same again until its receipts have been sent. @throws CommandError. */
export async function fetchDeliveries(deps: SignerDeps): Promise<readonly Delivery[]> {
  const { body } = await ask('GET', PATH, deps);
  return answerSchema.parse(body).deliveries;
}

/** Says what became of a delivery; the same may be said again. @throws CommandError. */
export async function sendReceipt(id: string, receipt: Receipt, deps: SignerDeps): Promise<void> {
  await ask('POST', `${PATH}/${encodeURIComponent(id)}/receipt`, deps, receipt);
}

/** Asks, and once more where the clock was off. */
async function ask(method: string, path: string, deps: SignerDeps, body?: unknown): Promise<ServerAnswer> {
  try {
    const first = await askSigned(method, path, deps, body);
    const isClock = first.status === 401 && first.serverMs !== undefined && deps.time.correct(first.serverMs);
    const answer = isClock ? await askSigned(method, path, deps, body) : first;
    if (answer.status < 300) return answer;
    throw new CommandError(answer.detail ?? `the server answers ${answer.status}`);
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    throw new CommandError(`${deps.pairing.server}: ${whyUnreachable(error)}`, 1, { cause: error });
  }
}
