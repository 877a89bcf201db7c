import { LRUCache } from 'lru-cache';
import { afterCommit, type Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { Device, DeviceId } from './model.ts';
import type { DeviceStore } from './store.ts';

/** Live devices that are kept in memory; each is about a kilobyte. */
const MAX_DEVICES = 10_000;

export interface DeviceDirectory {
  find(id: DeviceId): Device | undefined;
  findByHandle(handle: string): Device | undefined;
  /** Forgets the device once `tx` is committed. */
  changed(tx: Tx, device: Device): void;
}

type Store = Pick<DeviceStore, 'find' | 'findByHandle'>;

/** Live devices, always from the store: where several processes change them, none knows by itself what it has in memory. */
export const sharedDirectory = (store: Store): DeviceDirectory => ({
  find: (id) => store.find(id),
  findByHandle: (handle) => store.findByHandle(handle),
  changed: () => undefined,
});

/**
 * Live devices, from memory where they were asked for before. The same object until the device changes; whoever changes
 * one says so in the same transaction. What is not there is asked for anew each time.
 */
export function deviceDirectory(store: Store): DeviceDirectory {
  const byKey = once(() => new LRUCache<string, Device>({ max: 2 * MAX_DEVICES }));

  const keep = (device: Device | undefined) => {
    if (device !== undefined) for (const key of keysOf(device)) byKey().set(key, device);
    return device;
  };

  return {
    find: (id) => byKey().get(id) ?? keep(store.find(id)),
    findByHandle: (handle) => byKey().get(handle) ?? keep(store.findByHandle(handle)),
    changed(tx, device) {
      afterCommit(tx, () => {
        for (const key of keysOf(device)) byKey().delete(key);
      });
    },
  };
}

/** Neither looks like the other: ids have an underscore behind their prefix, handles have none. */
function keysOf({ id, handle }: Device): [string, string] {
  return [id, handle];
}
