import { eq, sql } from 'drizzle-orm';
import { readOrOutage } from '../db/errors.ts';
import type { Db } from '../db/open.ts';
import { upstreamGrants, upstreamTurns } from '../db/schema/index.ts';
import type { Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { UpstreamGrantId } from './model.ts';

/** A turn that somebody has taken, or that nobody may take for a while. Instants are epoch milliseconds. */
export interface Turn {
  /** The process that asks; `undefined`: it has asked in vain. */
  readonly holder: string | undefined;
  readonly untilAt: number;
  readonly doubtedAt: number | undefined;
}

/** A grant as it stands, with its turn. */
export interface GrantTurn {
  readonly version: number;
  readonly isActive: boolean;
  readonly turn: Turn | undefined;
}

export type TurnStore = ReturnType<typeof turnStore>;

/** Turns to refresh grants, in SQLite. Absence is `undefined`; only an outage throws. */
export function turnStore(db: Db) {
  const columns = {
    version: upstreamGrants.version,
    status: upstreamGrants.status,
    holder: upstreamTurns.holder,
    untilAt: upstreamTurns.untilMs,
    doubtedAt: upstreamTurns.doubtedAtMs,
  };
  const select = (from: Pick<Tx, 'select'>) =>
    from
      .select(columns)
      .from(upstreamGrants)
      .leftJoin(upstreamTurns, eq(upstreamTurns.grantId, upstreamGrants.id));
  const found = once(() =>
    select(db.reader)
      .where(eq(upstreamGrants.id, sql.placeholder('id')))
      .prepare(),
  );

  return {
    find(id: UpstreamGrantId): GrantTurn | undefined {
      const row = readOrOutage(() => found().get({ id }));
      return row === undefined ? undefined : toGrantTurn(row);
    },

    read(tx: Tx, id: UpstreamGrantId): GrantTurn | undefined {
      const row = select(tx).where(eq(upstreamGrants.id, id)).get();
      return row === undefined ? undefined : toGrantTurn(row);
    },

    put(tx: Tx, grantId: UpstreamGrantId, { holder, untilAt, doubtedAt }: Turn): void {
      const set = { holder: holder ?? null, untilMs: untilAt, doubtedAtMs: doubtedAt ?? null };
      tx.insert(upstreamTurns)
        .values({ grantId, ...set })
        .onConflictDoUpdate({ target: upstreamTurns.grantId, set })
        .run();
    },

    delete(tx: Tx, id: UpstreamGrantId): void {
      tx.delete(upstreamTurns).where(eq(upstreamTurns.grantId, id)).run();
    },
  };
}

interface Row {
  version: number;
  status: 'active' | 'link_again';
  holder: string | null;
  untilAt: number | null;
  doubtedAt: number | null;
}

function toGrantTurn({ version, status, holder, untilAt, doubtedAt }: Row): GrantTurn {
  const turn =
    untilAt === null
      ? undefined
      : { holder: holder ?? undefined, untilAt, doubtedAt: doubtedAt ?? undefined };
  return { version, isActive: status === 'active', turn };
}
