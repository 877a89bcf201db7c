import { wwwAuthenticate } from '../../src/authorization-server/metadata.ts';
import { configSchema, type McpServerConfig } from '../../src/config/schema.ts';
import type { RoleGuard } from '../../src/db/role-guard.ts';
import { parseOrigin } from '../../src/http/origin.ts';
import { keyRing } from '../../src/lib/key-ring.ts';
import { newId } from '../../src/lib/random.ts';
import type { Backend } from '../../src/mcp/model.ts';
import { type McpFront, openMcpFront } from '../../src/mcp/routes-front.ts';
import { resourceAudience } from '../../src/sessions/audience.ts';
import type { Session, SessionId } from '../../src/sessions/model.ts';
import { sessionStore } from '../../src/sessions/store.ts';
import { hashToken, tokenMint } from '../../src/sessions/token.ts';
import type { UserId } from '../../src/users/model.ts';
import { temporaryServer } from './http-server.ts';
import { TEST_SECRET, type TemporaryLedger, temporaryLedger } from './ledger.ts';
import type { ManualClock } from './manual-clock.ts';
import { FixtureBroker, fixtureBackend } from './mcp-backend.ts';
import { hereOnly } from './roles.ts';

export const MCP_ORIGIN = 'https://auth.example.com';
const ABSOLUTE_MS = 90 * 86_400_000;

export interface TemporaryFront extends AsyncDisposable {
  readonly front: McpFront;
  readonly broker: FixtureBroker;
  readonly things: TemporaryLedger;
  readonly url: string;
  /** A grant of a person at one backend. */
  grant(userId: UserId, backend?: string): Promise<{ id: SessionId; token: string }>;
  /** Stops the HTTP side and opens a new one over the same database, as a restart does. */
  restart(): Promise<void>;
}

export interface TemporaryFrontOptions {
  clock?: ManualClock;
  config?: Partial<McpServerConfig>;
  backends?: (origin: string) => Backend[];
  /** By default MCP servers run here. */
  brokerRole?: RoleGuard;
}

/** The real HTTP side of MCP on a free port, over a real ledger and a backend in this process. */
export async function temporaryFront(options: TemporaryFrontOptions = {}): Promise<TemporaryFront> {
  await using opening = new AsyncDisposableStack();
  const things = opening.use(
    temporaryLedger({ origin: MCP_ORIGIN, ...(options.clock && { clock: options.clock }) }),
  );
  const broker = new FixtureBroker();
  const backends =
    options.backends?.(MCP_ORIGIN) ?? ['one', 'two'].map((name) => fixtureBackend(name, MCP_ORIGIN));
  const ring = keyRing([TEST_SECRET]);
  const origin = parseOrigin(MCP_ORIGIN);

  const start = () => {
    const front = openMcpFront({
      backends,
      config: { ...configSchema.parse({}).mcp_server, ...options.config },
      broker,
      brokerRole: options.brokerRole ?? hereOnly,
      origin,
      db: things.db,
      ring,
      clock: things.clock,
      log: things.log,
      metrics: things.metrics,
      ledger: things.ledger,
      audit: things.audit,
      audits: things.auditStore,
      wwwAuthenticate,
    });
    const server = temporaryServer(undefined, {
      ownRoutes: front.nativeRoutes,
      endOpenAnswers: () => front.close(),
      limits: {
        maxBodyBytes: 10_000,
        maxOwnBodyBytes: front.maxBodyBytes,
        headTimeoutMs: 10_000,
        drainTimeoutMs: 200,
      },
    });
    return { front, server };
  };
  let running = start();
  const stop = async () => {
    running.front.close();
    await running.server[Symbol.asyncDispose]();
    await running.front[Symbol.asyncDispose]();
  };
  opening.defer(() => stop());
  const opened = opening.move();

  return {
    broker,
    things,
    get front() {
      return running.front;
    },
    get url() {
      return `http://127.0.0.1:${running.server.port}/mcp`;
    },
    grant: (userId, backend = 'one') => openGrant(things, userId, `${MCP_ORIGIN}/mcp/${backend}`),
    async restart() {
      await stop();
      running = start();
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openGrant({ db, clock }: TemporaryLedger, userId: UserId, resource: string) {
  const token = tokenMint(keyRing([TEST_SECRET])).mint('access');
  const now = clock.now();
  const session: Session = {
    id: newId('ses') as SessionId,
    kind: 'grant',
    userId,
    parentId: undefined,
    audience: [resourceAudience(resource)],
    status: 'active',
    revokedAt: undefined,
    revokeReason: undefined,
    createdAt: now,
    lastSeenAt: now,
    idleTimeoutMs: ABSOLUTE_MS,
    expiresAt: now + ABSOLUTE_MS,
    origin: { provider: undefined, providerSid: undefined, address: '192.0.2.7', userAgent: 'client' },
    label: undefined,
    clientId: 'client-of-a-test',
    scope: undefined,
    deviceId: undefined,
    clientPublicKey: undefined,
  };
  const credential = {
    hash: hashToken(token),
    sessionId: session.id,
    use: 'access' as const,
    expiresAt: undefined,
    supersededAt: undefined,
  };
  await db.write((tx) => sessionStore(db).insert(tx, session, credential));
  return { id: session.id, token: token as string };
}
