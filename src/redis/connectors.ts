import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AbstractConnector, type SentinelConnectionOptions, SentinelConnector } from 'ioredis';
import type { RedisAddress } from '../config/faults-redis.ts';
import { type ServerInfo, serverInfo } from './info.ts';

type Fields = Readonly<Record<string, string | undefined>>;

/** What a connector is told besides the options of the client. */
export interface ConnectorRules {
  /** Read at each attempt, so that renewed certificates are used; `undefined` is plain TCP. */
  readonly tls: () => ConnectionOptions | undefined;
  /** Looks at a server before anything is asked of it. False: hang up, and try again later. */
  readonly accept: (server: ServerInfo) => boolean;
}

/** Waiting for the other end to hang up as well would hold up whoever ends this. */
const AT_ONCE_MS = 1;

/** Connects to one server. */
export const directConnector = (address: RedisAddress, { tls, accept }: ConnectorRules) =>
  class extends AbstractConnector {
    constructor() {
      super(AT_ONCE_MS);
    }

    override check(fields: Fields): boolean {
      return accept(serverInfo(fields));
    }

    override async connect(): Promise<Socket> {
      const options = tls();
      const stream = options === undefined ? connectPlain(address) : connectTls({ ...address, ...options });
      stream.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };

/** Asks sentinels for the primary, each time anew. */
export const sentinelConnector = ({ tls, accept }: ConnectorRules) =>
  class extends SentinelConnector {
    constructor(options: unknown) {
      super(options as SentinelConnectionOptions);
    }

    override check(fields: Fields): boolean {
      // The other one goes on to the next sentinel where this server is not the primary.
      return super.check(fields) && accept(serverInfo(fields));
    }

    override connect(...emitter: Parameters<SentinelConnector['connect']>) {
      const options = tls();
      if (options !== undefined) Object.assign(this.options, { tls: options, sentinelTLS: options });
      return super.connect(...emitter);
    }
  };
