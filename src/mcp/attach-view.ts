import type { Attachment, Lease, LogLevel, UnsolicitedView } from './exchange.ts';
import type { Tenant } from './tenant.ts';
import type { AttachedView } from './views.ts';

export interface AttachViewOptions {
  tenant: Tenant;
  view: UnsolicitedView;
  initial: { logLevel?: LogLevel | undefined; subscriptions?: readonly string[] } | undefined;
  lease: () => Promise<Lease> | Lease;
}

/** A view of one tenant: what it wants is told to the child that runs, and to each that runs later. */
export function attachView({ tenant, view, initial, lease }: AttachViewOptions): Attachment {
  const { views } = tenant;
  const attached: AttachedView = { view, logLevel: initial?.logLevel, subscriptions: new Set() };
  views.add(attached);

  const running = () => tenant.current?.connection;
  const tellLevel = async () => running()?.setLogLevel(views.logLevel());
  const drop = (uri: string) => {
    if (attached.subscriptions.delete(uri) && !views.isSubscribed(uri)) return running()?.unsubscribe(uri);
  };
  for (const uri of initial?.subscriptions ?? []) {
    const isNew = !views.isSubscribed(uri);
    attached.subscriptions.add(uri);
    if (isNew)
      running()
        ?.subscribe(uri)
        .catch(() => undefined);
  }
  if (attached.logLevel !== undefined) void tellLevel();

  return {
    async setLogLevel(level) {
      attached.logLevel = level;
      await tellLevel();
    },
    async subscribe(uri) {
      if (attached.subscriptions.has(uri)) return;
      const held = await lease();
      try {
        const isNew = !views.isSubscribed(uri);
        const asked = running();
        if (isNew) await asked?.subscribe(uri);
        attached.subscriptions.add(uri);
        // While the server thought about it, another may have taken its place, and was told what was known then.
        const next = running();
        if (isNew && next !== asked) await next?.subscribe(uri);
      } finally {
        held.release();
      }
    },
    async unsubscribe(uri) {
      await drop(uri);
    },
    [Symbol.dispose]() {
      if (!views.delete(attached)) return;
      for (const uri of attached.subscriptions) void drop(uri);
      void tellLevel();
    },
  };
}
