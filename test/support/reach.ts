import type { PersonalTokensDeps } from '../../src/sessions/personal-tokens.ts';

/** A device that everybody may reach, where only its name matters. */
const DEVICE = { id: 'dev_a', handle: 'pi' };

export const findTestReach: PersonalTokensDeps['findReach'] = (_userId, device, service) =>
  device === DEVICE.id || device === DEVICE.handle ? { deviceId: DEVICE.id, service } : undefined;

export const testDeviceHandle = (id: string): string | undefined =>
  id === DEVICE.id ? DEVICE.handle : undefined;
