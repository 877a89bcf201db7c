import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import {
  decodeRequestHead,
  type HttpRequestHead,
  type RefusalCode,
  type RequestHead,
} from '../tunnel/heads.ts';
import type { StreamReader, TunnelStream } from '../tunnel/model.ts';
import { readHead } from '../tunnel/read-head.ts';
import type { AgentLimits } from './config-schema.ts';
import { type HttpClient, httpClient } from './http-client.ts';
import type { HttpTarget, Services, ServiceTarget, TcpTarget } from './model.ts';
import { refuse } from './refuse.ts';
import { dropping, serveHttp } from './serve-http.ts';
import { serveTcp } from './serve-tcp.ts';
import { serveWebSocket } from './serve-web-socket.ts';

export interface ServeDeps {
  services: Services;
  limits: AgentLimits;
  clock: Clock;
  log: Logger;
}

/** What came of the requests to one service since the agent started. */
export interface ServiceRecord {
  requests: number;
  refused: number;
  lastRefusal: RefusalCode | undefined;
}

export interface StreamServer extends Disposable {
  /** Serves one stream that the server has opened. Never throws. */
  accept(stream: TunnelStream): void;
  readonly records: ReadonlyMap<string, Readonly<ServiceRecord>>;
}

/** Serves what the server asks of this device: services of the list, by name, and nothing else. */
export function streamServer({ services, limits, clock, log }: ServeDeps): StreamServer {
  const clients = new Map<HttpTarget, HttpClient>();
  const records = new Map([...services.keys()].map((name) => [name, newRecord()]));
  /** Connections that are no requests, by service. */
  const lasting = new Map<string, number>();

  const clientOf = (target: HttpTarget) => {
    const client = clients.get(target) ?? httpClient({ target, limits, clock });
    clients.set(target, client);
    return client;
  };
  const noter = (service: string) => (code: RefusalCode, error?: unknown) => {
    const record = records.get(service);
    if (record !== undefined) {
      record.refused++;
      record.lastRefusal = code;
    }
    log.warn('a service gave no answer', { service, code, ...(error !== undefined && { error }) });
  };
  const turnAway = (stream: TunnelStream, service: string, code: RefusalCode) => {
    noter(service)(code);
    refuse(stream, code);
    return dropping(stream);
  };
  const lastingPlace = (service: string) => {
    lasting.set(service, (lasting.get(service) ?? 0) + 1);
    return () => void lasting.set(service, (lasting.get(service) ?? 1) - 1);
  };

  const serveTarget = (stream: TunnelStream, head: RequestHead, target: ServiceTarget): StreamReader => {
    const { service } = head;
    const onRefused = noter(service);
    if (head.kind === 'http' && target.kind === 'http') {
      return serveHttp({
        stream,
        head,
        target,
        client: clientOf(target),
        headTimeoutMs: limits.head_timeout,
        clock,
        onRefused,
      });
    }
    if ((lasting.get(service) ?? 0) >= limits.connections_per_service)
      return turnAway(stream, service, 'busy');
    if (head.kind === 'tcp' && target.kind === 'tcp') return toTcp(stream, head.service, target);
    if (head.kind === 'websocket' && target.kind === 'http') return toWebSocket(stream, head, target);
    return turnAway(stream, service, 'unknown_service');
  };
  const toTcp = (stream: TunnelStream, service: string, target: TcpTarget) =>
    serveTcp({
      stream,
      target,
      clock,
      timeoutMs: limits.connect_timeout,
      onRefused: noter(service),
      onClosed: lastingPlace(service),
    });
  const toWebSocket = (stream: TunnelStream, head: HttpRequestHead, target: HttpTarget) => {
    const leave = lastingPlace(head.service);
    try {
      return serveWebSocket({
        stream,
        head,
        target,
        clock,
        connectTimeoutMs: limits.connect_timeout,
        messageBytes: limits.message_bytes,
        onRefused: noter(head.service),
        onClosed: leave,
      });
    } catch (error) {
      leave();
      throw error;
    }
  };

  return {
    records,
    accept(stream) {
      readHead(stream, decodeRequestHead, {
        head(head) {
          const target = services.get(head.service);
          const record = records.get(head.service);
          if (target === undefined || record === undefined)
            return turnAway(stream, head.service, 'unknown_service');
          record.requests++;
          try {
            return serveTarget(stream, head, target);
          } catch (error) {
            // The runtime refuses what a visitor wants, such as a subprotocol twice. That is no reason to end the tunnel.
            log.warn('a request could not be carried', { service: head.service, error });
            return turnAway(stream, head.service, 'bad_request');
          }
        },
        bad(error) {
          log.warn('the server sent what is no head of a request', { error });
          refuse(stream, 'bad_request');
        },
        reset: () => undefined,
      });
    },
    [Symbol.dispose]() {
      for (const client of clients.values()) client[Symbol.dispose]();
    },
  };
}

const newRecord = (): ServiceRecord => ({ requests: 0, refused: 0, lastRefusal: undefined });
