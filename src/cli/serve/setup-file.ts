import type { SessionEvents } from '../../sessions/events.ts';
import { forget } from './confide.ts';
import { SETUP_FILE } from './greeting.ts';

export interface SetupFileDeps {
  events: Pick<SessionEvents, 'subscribe'>;
  /** Whether the setup link can still be used. */
  isOpen: () => boolean;
  dataDir: string;
}

/** The file with the setup link goes as soon as the link has been used, and with the process that made it. */
export function keepSetupFileWhileOpen({ events, isOpen, dataDir }: SetupFileDeps): Disposable {
  const remove = () => forget(SETUP_FILE, dataDir);
  const subscription = events.subscribe(() => {
    if (isOpen()) return;
    remove();
    subscription[Symbol.dispose]();
  });
  return {
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
      remove();
    },
  };
}
