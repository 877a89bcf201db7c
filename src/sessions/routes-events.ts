import { type ApiRoute, apiRoute } from '../http/api-route.ts';
import { keepOpen } from '../http/keep-open.ts';
import { sessionEventDto } from './dto.ts';
import type { SessionEventStreams } from './events-streams.ts';
import type { SessionApiAccess } from './guard.ts';

export interface EventRoutesDeps {
  streams: SessionEventStreams;
  access: SessionApiAccess;
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // nginx would collect the stream otherwise.
  'x-accel-buffering': 'no',
};

const description = [
  'Server-sent events `created`, `revoked` and `expired`, each with a `SessionEvent` as data.',
  'An `end` event with a `reason` closes the stream when the session that opened it ends, when the reader falls too far',
  'behind, and when the appliance stops. Nothing is replayed: read the list again after every gap.',
].join(' ');

/** What becomes of one's sessions, as it happens. */
export function eventRoutes({ streams, access }: EventRoutesDeps): ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/v1/sessions/events',
      operationId: 'streamSessionEvents',
      tag: 'Sessions',
      summary: 'Follow my sessions as they begin and end',
      description,
      access: access.scoped('sessions:read'),
      answer: {
        status: 200,
        description: 'The stream. It begins with a comment at once.',
        schema: sessionEventDto,
        contentType: 'text/event-stream',
      },
      refusals: [
        { kind: 'too_many_requests', code: 'too_many_streams' },
        { kind: 'unauthorized', code: 'session_ended' },
        { kind: 'unavailable', code: 'shutting_down' },
      ],
      async handle({ request, caller }) {
        if (request.method === 'HEAD') return new Response(null, { headers: HEADERS });
        const stream = await streams.open(caller.session);
        keepOpen(request);
        // A reader who left before the first byte cancels nothing, and one who left before this tells nobody any more.
        request.signal.addEventListener('abort', () => stream.abandon(), { once: true });
        if (request.signal.aborted) stream.abandon();
        return new Response(stream.body, { headers: HEADERS });
      },
    }),
  ];
}
