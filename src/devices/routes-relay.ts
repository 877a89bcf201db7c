import type { NativeConnection } from '../http/native.ts';
import { acceptSocket, isUpgrade, requireHandshake } from '../http/web-socket.ts';
import { AppError } from '../lib/app-error.ts';
import { announcesBody } from '../signatures/verify-request.ts';
import type { HeaderList } from '../tunnel/header-list.ts';
import { encodeRequestHead, HeadError } from '../tunnel/heads.ts';
import type { Reach } from './guard-host.ts';
import type { Hub } from './hub.ts';
import type { Device } from './model.ts';
import type { Carried, CarriedKind } from './open-stream.ts';
import { relayHttp } from './relay-http.ts';
import { relayWebSocket } from './relay-web-socket.ts';

export interface RelayDeps {
  hub: Pick<Hub, 'open' | 'metrics'>;
  maxMessageBytes: number;
}

/** What a visitor asks of a service, stripped of everything that is none of its business. */
export interface Asked {
  readonly reach: Reach<Device>;
  /** Path and query as the service gets them. */
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly fields: HeaderList;
  /** The fields of an answer as the visitor may see them. */
  readonly fieldsOf: (fields: HeaderList) => Headers;
}

export type RelayAsked = (request: Request, asked: Asked, connection: NativeConnection) => Promise<Response>;

/** An answer that is on its way, or none yet: the hub looks whether anything moves. */
const WHILE_OPEN_SECONDS = 0;
/** A visitor that reads nothing of the last bytes, or asks for nothing more, is let go of after this. */
const AFTERWARDS_SECONDS = 120;

/** Carries requests and WebSockets to devices. @throws AppError where there is no answer. */
export function relayAsked({ hub, maxMessageBytes }: RelayDeps): RelayAsked {
  const { metrics } = hub;

  const carry = (request: Request, asked: Asked, connection: NativeConnection) => {
    // The runtime drops what stands behind GET and HEAD; a service that was told of it would wait for it.
    if (announcesBody(request.headers) && request.body === null) throw uncarriable();
    const head = headOf(request, asked, 'http');
    const open = hub.open(asked.reach.device, carriedOf(asked, 'http'));
    connection.timeout(request, WHILE_OPEN_SECONDS);
    return relayHttp({
      open,
      head,
      method: request.method,
      body: announcesBody(request.headers) ? request.body : null,
      signal: request.signal,
      fieldsOf: asked.fieldsOf,
      onAnswered: () => connection.timeout(request, AFTERWARDS_SECONDS),
      metrics,
    });
  };

  const agree = async (request: Request, asked: Asked, connection: NativeConnection) => {
    const head = headOf(request, asked, 'websocket');
    const open = hub.open(asked.reach.device, carriedOf(asked, 'websocket'));
    const answer = await relayWebSocket({ open, head, maxMessageBytes, signal: request.signal, metrics });
    if (!answer.agreed) {
      connection.timeout(request, AFTERWARDS_SECONDS);
      return new Response(null, { status: answer.status, headers: asked.fieldsOf(answer.headers) });
    }
    const { protocol, relay } = answer;
    try {
      return acceptSocket(connection, request, relay, protocol === undefined ? {} : { protocol });
    } catch (error) {
      relay.abandon();
      throw error;
    }
  };

  const carrySocket = async (request: Request, asked: Asked, connection: NativeConnection) => {
    requireHandshake(request);
    connection.timeout(request, WHILE_OPEN_SECONDS);
    try {
      return await agree(request, asked, connection);
    } catch (error) {
      connection.timeout(request, AFTERWARDS_SECONDS);
      throw error;
    }
  };

  return async (request, asked, connection) =>
    isUpgrade(request) ? carrySocket(request, asked, connection) : carry(request, asked, connection);
}

function carriedOf({ reach: { service, session, person } }: Asked, kind: CarriedKind): Carried {
  return { kind, service, sessionId: session, userId: person?.id };
}

/** @throws AppError `bad_request` (`malformed_request`) for what cannot be said in a head. */
function headOf(request: Request, asked: Asked, kind: 'http' | 'websocket'): Uint8Array {
  const { reach, target, scheme, host, fields } = asked;
  const { method } = request;
  try {
    return encodeRequestHead({
      kind,
      service: reach.service,
      method,
      target,
      scheme,
      host,
      headers: fields,
    });
  } catch (error) {
    if (!(error instanceof HeadError)) throw error;
    throw uncarriable();
  }
}

const uncarriable = () =>
  new AppError('bad_request', 'malformed_request', 'The request cannot be carried to a device.');
