import { hostAudience } from '../../src/sessions/audience.ts';

import type { FoundCredential, SessionId } from '../../src/sessions/model.ts';
import { hashToken } from '../../src/sessions/token.ts';
import type { UserId } from '../../src/users/model.ts';

const NOW = Date.now();
const HOUR_MS = 3_600_000;

/** A session as a store would read it, with a person of its own. */
export function madeUpCredential(index: number): FoundCredential {
  const sessionId = `ses_${index.toString(36).padStart(26, '0')}` as SessionId;
  const userId = `usr_${index.toString(36).padStart(26, '0')}` as UserId;
  const username = `person-${index}`;
  return {
    credential: {
      hash: hashToken(`token ${index}`),
      sessionId,
      use: 'cookie',
      expiresAt: undefined,
      supersededAt: undefined,
    },
    session: {
      id: sessionId,
      kind: 'user',
      userId,
      parentId: undefined,
      audience: [hostAudience(`app-${index % 10}.example.com`)],
      status: 'active',
      createdAt: NOW,
      lastSeenAt: NOW,
      idleTimeoutMs: 24 * HOUR_MS,
      expiresAt: NOW + 720 * HOUR_MS,
      clientId: undefined,
    },
    user: {
      id: userId,
      username,
      displayName: `Person ${index}`,
      email: `${username}@example.com`,
      groups: ['family'],
      role: 'member',
      status: 'active',
      endedBefore: undefined,
      createdAt: NOW,
      lastSignInAt: NOW,
    },
  };
}
