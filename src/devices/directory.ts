import { LRUCache } from 'lru-cache';
import { afterCommit, type Tx } from '../db/write.ts';
import { once } from '../lib/once.ts';
import type { Device, DeviceId } from './model.ts';
import type { DeviceStore } from './store.ts';

/** Live devices that are kept in memory; each is about a kilobyte. */
const MAX_DEVICES = 10_000;

export type DeviceDirectory = ReturnType<typeof deviceDirectory>;

/**
 * Live devices, from memory where they were asked for before. The same object until the device changes; whoever changes
 * one says so in the same transaction. What is not there is asked for anew each time.
 */
export function deviceDirectory(store: Pick<DeviceStore, 'find' | 'findByHandle'>) {
  const byKey = once(() => new LRUCache<string, Device>({ max: 2 * MAX_DEVICES }));

  const keep = (device: Device | undefined) => {
    if (device !== undefined) for (const key of keysOf(device)) byKey().set(key, device);
    return device;
  };

  return {
    find: (id: DeviceId): Device | undefined => byKey().get(id) ?? keep(store.find(id)),
    findByHandle: (handle: string): Device | undefined =>
      byKey().get(handle) ?? keep(store.findByHandle(handle)),

    /** Forgets the device once `tx` is committed. */
    changed(tx: Tx, device: Device): void {
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
