import type { AskingProgram } from '../../src/authorization-server/device-requests.ts';
import { readTypedCode } from '../../src/lib/typed-code.ts';
import type { Issued } from '../../src/sessions/ledger.ts';
import type { UserId } from '../../src/users/model.ts';
import { userStore } from '../../src/users/store.ts';
import type { OauthSite } from './authorization-server.ts';

export const TV_CLIENT = { client_id: 'tv', name: 'Television', device_flow: true };
const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export interface DeviceCodes {
  device_code: string;
  user_code: string;
  verification_uri: string;
  expires_in: number;
  interval: number;
}

/** A program without a browser, and the person who types its code. */
export function deviceClient(site: OauthSite) {
  const begin = async (changes: Readonly<Record<string, string>> = {}): Promise<DeviceCodes> => {
    const response = await site.post('/oauth/device_authorization', { client_id: 'tv', ...changes });
    return (await response.json()) as DeviceCodes;
  };
  const poll = (codes: DeviceCodes, changes: Readonly<Record<string, string>> = {}) =>
    site.post('/oauth/token', {
      grant_type: DEVICE_CODE_GRANT,
      client_id: 'tv',
      device_code: codes.device_code,
      ...changes,
    });
  const find = (codes: DeviceCodes, userId: UserId): AskingProgram | undefined => {
    const user = userStore(site.base.db).find(userId);
    const code = readTypedCode(codes.user_code);
    return user === undefined || code === undefined ? undefined : site.server.deviceRequests.find(code, user);
  };
  const asking = (codes: DeviceCodes, { session }: Issued): AskingProgram => {
    const found = find(codes, session.userId);
    if (found === undefined) throw new Error('nobody asks with this code');
    return found;
  };
  return {
    begin,
    poll,
    find,
    async approve(codes: DeviceCodes, issued: Issued): Promise<void> {
      const program = asking(codes, issued);
      const [resource] = program.resources;
      if (resource === undefined) throw new Error('there is nothing to approve');
      const by = { userId: issued.session.userId, sessionId: issued.session.id };
      await site.server.deviceRequests.approve(program, resource, by);
    },
    async deny(codes: DeviceCodes, issued: Issued): Promise<void> {
      const by = { userId: issued.session.userId, sessionId: issued.session.id };
      await site.server.deviceRequests.deny(asking(codes, issued), by);
    },
    /** The code that an error answer of a poll holds. */
    async errorOf(codes: DeviceCodes, changes: Readonly<Record<string, string>> = {}) {
      return ((await (await poll(codes, changes)).json()) as { error?: string }).error;
    },
  };
}
