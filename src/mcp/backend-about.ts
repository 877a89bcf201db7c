import type { Broker, Holder, ServerAbout } from './exchange.ts';

/** What a backend tells of itself: as it did at an earlier start while this one goes on, or from this one. */
export async function aboutOf(broker: Broker, holder: Holder): Promise<ServerAbout> {
  const cached = broker.cachedAbout(holder);
  const starting = Promise.resolve().then(() => broker.lease(holder));
  const about = starting.then((lease) => {
    lease.release();
    return lease.connection.about;
  });
  if (cached === undefined) return about;
  // Whoever calls next hears of it.
  about.catch(() => undefined);
  return cached;
}
