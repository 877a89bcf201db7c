import type { Launch } from './launch.ts';
import type { Wire } from './wire.ts';

/** Knows of everything that was launched, from the moment on at which there is something to end. */
export function trackLaunches(launch: Launch) {
  const launching = new Set<Promise<Wire>>();
  const wires = new Set<Wire>();
  const tracked: Launch = (request) => {
    const launched = launch(request).then((wire) => {
      wires.add(wire);
      void wire.exited.then(() => wires.delete(wire));
      return wire;
    });
    launching.add(launched);
    void launched.catch(() => undefined).finally(() => launching.delete(launched));
    return launched;
  };

  return {
    launch: tracked,
    /** Resolves when nothing of it runs any more. What is being launched has to be there before it can be ended. */
    async endAll(): Promise<void> {
      await Promise.allSettled(launching);
      await Promise.allSettled([...wires].map((wire) => wire.end()));
    },
  };
}
