import { AppError } from '../lib/app-error.ts';
import type { RefusalCode } from '../tunnel/heads.ts';
import type { ResetReason } from '../tunnel/model.ts';
import type { CarryOutcome } from './metrics-hub.ts';
import type { CutReason } from './open-stream.ts';

/** Why there is no answer of a service: for the visitor, and for the figures. */
export interface RelayFailure {
  readonly error: AppError;
  readonly outcome: CarryOutcome;
}

const RETRY_SECONDS = 5;

/** What the agent refused to carry. */
export function refusedByAgent(code: RefusalCode): RelayFailure {
  return { error: refusal(code), outcome: code === 'service_timeout' ? 'late' : 'refused' };
}

function refusal(code: RefusalCode): AppError {
  switch (code) {
    case 'unknown_service':
      return new AppError('not_found', 'unknown_service', 'The device offers no such service.');
    case 'bad_request':
      return new AppError('bad_request', 'device_refused_request', 'The device does not take this request.');
    case 'service_unreachable':
      return new AppError('bad_gateway', 'service_unreachable', 'The service on the device does not answer.');
    case 'service_timeout':
      return new AppError('gateway_timeout', 'service_timeout', 'The service on the device took too long.');
    case 'service_failed':
      return new AppError(
        'bad_gateway',
        'service_failed',
        'The service on the device answered with something that is no answer.',
      );
    case 'busy':
      return new AppError('unavailable', 'device_busy', 'The device does as much as it may. Try again.', {
        retryAfterSeconds: RETRY_SECONDS,
      });
  }
}

/** What came from the device is no answer. */
export const malformedAnswer = (): RelayFailure => ({
  error: new AppError('bad_gateway', 'device_failed', 'The device sent no answer that can be read.'),
  outcome: 'broken',
});

/** The stream was over before there was an answer. */
export function endedEarly(reason: ResetReason, cut: CutReason | undefined): RelayFailure {
  if (cut !== undefined) return cutByUs(cut);
  if (reason === 'tunnel') {
    const error = new AppError('offline', 'device_offline', 'The device has just lost its connection.', {
      retryAfterSeconds: RETRY_SECONDS,
    });
    return { error, outcome: 'broken' };
  }
  if (reason === 'local') return { error: ended(), outcome: 'abandoned' };
  return { error: malformedAnswer().error, outcome: 'broken' };
}

function cutByUs(cut: CutReason): RelayFailure {
  if (cut === 'late' || cut === 'idle') {
    const message = 'The device took too long.';
    return { error: new AppError('gateway_timeout', 'device_timeout', message), outcome: 'late' };
  }
  return { error: ended(), outcome: 'ended' };
}

const ended = () => new AppError('bad_gateway', 'stream_ended', 'The connection to the device was ended.');
