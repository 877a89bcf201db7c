import type { Device } from '../devices/model.ts';

export const DEVICES_PATH = '/account/devices';

export const pathOf = ({ handle }: Pick<Device, 'handle'>): string => `${DEVICES_PATH}/${handle}`;
