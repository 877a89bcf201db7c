import { agentConfigSchema } from '../../src/agent/config-schema.ts';
import type { ServiceTarget } from '../../src/agent/model.ts';
import { streamServer } from '../../src/agent/serve.ts';
import { readTarget, type TargetOptions } from '../../src/agent/targets.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import {
  type AnswerHead,
  decodeAnswerHead,
  encodeRequestHead,
  type HttpRequestHead,
  type RequestHead,
} from '../../src/tunnel/heads.ts';
import type { ResetReason, StreamReader, TunnelStream } from '../../src/tunnel/model.ts';
import { readHead } from '../../src/tunnel/read-head.ts';
import { recordedLog } from './silent-log.ts';
import { mustOpen, tunnelPair } from './tunnel.ts';

/** What `agent.toml` says without a word in it. */
export const DEFAULT_LIMITS = agentConfigSchema.parse({}).limits;

/** A target that has to be one. */
export function target(text: string, options: TargetOptions = {}): ServiceTarget {
  const read = readTarget(text, options);
  if (read === undefined) throw new Error(`no target: ${text}`);
  return read;
}

export interface AgentStreamsOptions {
  services: Readonly<Record<string, ServiceTarget>>;
  limits?: Partial<typeof DEFAULT_LIMITS>;
  clock?: Clock;
}

/** What an agent serves, reached through a tunnel in memory, as the server reaches it. */
export function agentStreams({ services, limits = {}, clock = systemClock }: AgentStreamsOptions) {
  const log = recordedLog();
  const server = streamServer({
    services: new Map(Object.entries(services)),
    limits: { ...DEFAULT_LIMITS, ...limits },
    clock,
    log,
  });
  const { client: agent, server: hub } = tunnelPair({
    client: { onStream: (stream) => server.accept(stream), limits: { opensPerSecond: 100_000 } },
  });

  /** Sends a head, and resolves with the answer's; what follows it is recorded. */
  const open = (head: RequestHead, options: { hold?: boolean } = {}) => {
    const stream = mustOpen(hub.mux);
    void stream.write(encodeRequestHead(head));
    return { stream, answer: answerOf(stream, options) };
  };

  return {
    server,
    log,
    agent,
    hub,
    open,
    /** One request, its whole body, and the whole of what comes back. */
    async request(head: Partial<HttpRequestHead>, body: Uint8Array | string = '') {
      const { stream, answer } = open(httpHead(head));
      if (body.length > 0) void stream.write(typeof body === 'string' ? Buffer.from(body) : body);
      stream.finish();
      const { head: answered, heard } = await answer;
      await heard.done.promise;
      return { head: answered, heard };
    },
    [Symbol.dispose]() {
      server[Symbol.dispose]();
      hub.mux.end(1000, 'done');
    },
  };
}

export function httpHead(head: Partial<HttpRequestHead> = {}): HttpRequestHead {
  return {
    kind: 'http',
    service: 'web',
    method: 'GET',
    target: '/',
    scheme: 'https',
    host: 'web--pi.devices.example.org',
    headers: [],
    ...head,
  };
}

export interface AnswerHeard {
  head: AnswerHead;
  heard: Heard;
}

/** What followed the head of an answer. */
export interface Heard {
  readonly reader: StreamReader;
  readonly chunks: Uint8Array[];
  /** Bytes that arrived, those that were not kept too. */
  bytes: number;
  outcome: 'open' | 'ended' | ResetReason;
  text(): string;
  readonly done: PromiseWithResolvers<void>;
}

/** Keeps what arrives; with `hold` nothing counts as consumed. */
function listenTo(stream: TunnelStream, { hold = false }: { hold?: boolean }): Heard {
  const over = (outcome: Heard['outcome']) => {
    heard.outcome = outcome;
    heard.done.resolve();
  };
  const heard: Heard = {
    chunks: [],
    bytes: 0,
    outcome: 'open',
    text: () => Buffer.concat(heard.chunks).toString(),
    done: Promise.withResolvers<void>(),
    reader: {
      data(chunk) {
        heard.chunks.push(chunk);
        heard.bytes += chunk.length;
        if (!hold) stream.consumed(chunk.length);
      },
      end: () => over('ended'),
      reset: over,
    },
  };
  return heard;
}

/** Rejects where the stream ends without a head. */
function answerOf(stream: TunnelStream, options: { hold?: boolean } = {}): Promise<AnswerHeard> {
  const answer = new Promise<AnswerHeard>((resolve, reject) => {
    readHead(stream, decodeAnswerHead, {
      head(head) {
        const heard = listenTo(stream, options);
        resolve({ head, heard });
        return heard.reader;
      },
      bad: reject,
      reset: (reason) => reject(new Error(`reset before the answer: ${reason}`)),
    });
  });
  // Some tests end a stream without waiting for its answer.
  answer.catch(() => undefined);
  return answer;
}
