import { AppError } from '../lib/app-error.ts';
import { INTERNAL_ERROR, JsonRpcError } from './json-rpc.ts';

/** Why a tenant is over; those who wait for a child of it hear it. */
export type OverReason = 'session_ended' | 'forgotten' | 'shutdown';

/** A shutdown is no 401: a client that reads 401 throws its tokens away. */
export function overError(reason: OverReason): Error {
  switch (reason) {
    case 'session_ended':
      return sessionEnded();
    case 'forgotten':
      return new JsonRpcError(INTERNAL_ERROR, 'The protocol session has ended.');
    case 'shutdown':
      return shuttingDown();
  }
}

export function shuttingDown(): AppError {
  return new AppError('unavailable', 'shutting_down', 'The appliance is shutting down.', {
    retryAfterSeconds: 5,
  });
}

export function sessionEnded(): AppError {
  return new AppError('unauthorized', 'session_ended', 'The session has ended.');
}

export function notLinked(): AppError {
  return new AppError(
    'forbidden',
    'mcp_not_linked',
    'The account that this MCP server works with is not linked.',
  );
}

export function secretMissing(): AppError {
  return new AppError(
    'forbidden',
    'mcp_secret_missing',
    'A secret that this MCP server needs has not been entered yet; the account page takes it.',
  );
}

export function tooManyChildren(retryAfterSeconds: number): AppError {
  return new AppError('too_many_requests', 'mcp_too_many_children', 'Too many MCP servers are running.', {
    retryAfterSeconds,
  });
}

export function tooManyCalls(): AppError {
  return new AppError(
    'too_many_requests',
    'mcp_too_many_calls',
    'Too many calls of this MCP server are open.',
    {
      retryAfterSeconds: 1,
    },
  );
}
