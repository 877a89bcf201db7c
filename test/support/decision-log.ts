import type { Holding } from './holdings.ts';

/** What a node said of a credential. `unavailable`: 503; `unanswered`: the line broke, or nobody was there. */
export type Outcome = 'served' | 'refused' | 'unavailable' | 'unanswered' | 'hung' | 'odd';

/** Instants of one credential, of `performance.now()` as all in here. */
export interface Life {
  /** Nothing of it had been asked for before. */
  begunAt: number;
  /** The first request that was to end it was about to be sent. */
  endAskedAt: number | undefined;
  /** The first such request that was answered with success. */
  endedAt: number | undefined;
}

export interface Check {
  readonly holding: Holding;
  readonly life: Life;
  readonly node: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly outcome: Outcome;
  /** Who it was said to be, why it was refused, or what else was answered. */
  readonly said: string;
}

/** A time in which Redis forgot something, so that sessions begun before its end may be gone without anybody's asking. */
export interface Loss {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

export interface DecisionLog {
  readonly checks: readonly Check[];
  readonly losses: readonly Loss[];
  lifeOf(holding: Holding): Life;
  began(holding: Holding, at: number): void;
  endAsked(holding: Holding, at: number): void;
  ended(holding: Holding, at: number): void;
  checked(check: Omit<Check, 'life'>): void;
  /** Redis begins to forget; what comes back says that it is over. */
  losing(fault: string): () => void;
  /** Whether Redis may have lost a session that was made at this instant. */
  mayBeLost(begunAt: number): boolean;
}

export function decisionLog(): DecisionLog {
  const checks: Check[] = [];
  const losses: { fault: string; from: number; to: number }[] = [];
  const lives = new Map<Holding, Life>();
  const lifeOf = (holding: Holding): Life => {
    const life = lives.get(holding);
    if (life === undefined) throw new Error('nobody said that it began');
    return life;
  };
  return {
    checks,
    losses,
    lifeOf,
    began: (holding, at) =>
      void lives.set(holding, { begunAt: at, endAskedAt: undefined, endedAt: undefined }),
    endAsked(holding, at) {
      lifeOf(holding).endAskedAt ??= at;
    },
    ended(holding, at) {
      lifeOf(holding).endedAt ??= at;
    },
    checked: (check) => void checks.push({ ...check, life: lifeOf(check.holding) }),
    losing(fault) {
      const loss = { fault, from: performance.now(), to: Number.POSITIVE_INFINITY };
      losses.push(loss);
      return () => {
        loss.to = performance.now();
      };
    },
    mayBeLost: (begunAt) => losses.some(({ to }) => to >= begunAt),
  };
}

export interface Judgement {
  /** What must not have happened, in words. */
  readonly violations: string[];
  /** The latest that something was served after the answer that it had ended, in milliseconds. */
  readonly latestMs: number;
  /** Credentials that were refused because Redis had lost them. */
  readonly lost: number;
  readonly counts: Readonly<Partial<Record<Outcome, number>>>;
}

/**
 * What the log shows. A credential whose end was answered may be served by requests that were sent within `limitMs` of that
 * answer and by no later one; one that nobody asked to end is not refused unless Redis lost it; nobody is taken for somebody
 * else; every request is answered, and not with a fault of the appliance.
 */
export function judge(
  { checks, losses }: Pick<DecisionLog, 'checks' | 'losses'>,
  limitMs: number,
): Judgement {
  const violations: string[] = [];
  const lost = new Set<Holding>();
  const counts: Partial<Record<Outcome, number>> = {};
  let latestMs = 0;
  for (const check of checks) {
    const { holding, life, outcome, sentAt } = check;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    const fault = faultOf(check);
    if (fault !== undefined) violations.push(`${describe(check)}: ${fault}`);
    if (outcome === 'served' && life.endedAt !== undefined) {
      const late = sentAt - life.endedAt;
      latestMs = Math.max(latestMs, late);
      if (late > limitMs) violations.push(`${describe(check)}: served ${Math.round(late)} ms after its end`);
    }
    if (outcome !== 'refused' || sentAt < life.begunAt || wasToEnd(check)) continue;
    if (isExcused(check, losses)) lost.add(holding);
    else
      violations.push(
        `${describe(check)}: refused (${check.said}), though nobody ended it and Redis lost nothing`,
      );
  }
  return { violations, latestMs, lost: lost.size, counts };
}

function faultOf({ outcome, said, holding }: Check): string | undefined {
  if (outcome === 'odd' || outcome === 'hung') return `${outcome}: ${said}`;
  if (outcome === 'served' && said !== holding.username) return `taken for ${said}`;
  return undefined;
}

const wasToEnd = ({ life: { endAskedAt }, answeredAt }: Check) =>
  endAskedAt !== undefined && endAskedAt <= answeredAt;

function isExcused({ life: { begunAt }, answeredAt }: Check, losses: readonly Loss[]): boolean {
  return losses.some(({ from, to }) => from <= answeredAt && to >= begunAt);
}

function describe({ holding, node, life, sentAt }: Check): string {
  const age = Math.round(sentAt - life.begunAt);
  return `${holding.kind} of ${holding.username} at ${node}, ${age} ms old`;
}
