import type { SessionEvents } from '../../sessions/events.ts';
import { forget } from './confide.ts';
import { SETUP_FILE } from './greeting.ts';

export interface SetupFileDeps {
  events: Pick<SessionEvents, 'subscribe'>;
  /** Whether the setup link can still be used. */
  isOpen: () => boolean;
  dataDir: string;
  /** Whether others share the data directory: the link then stays good when this process ends. */
  isShared: boolean;
}

/** The file with the setup link goes as soon as the link has been used, and with a process that is alone. */
export function keepSetupFileWhileOpen({ events, isOpen, dataDir, isShared }: SetupFileDeps): Disposable {
  const remove = () => forget(SETUP_FILE, dataDir);
  if (!isOpen()) remove();
  const subscription = events.subscribe(() => {
    if (isOpen()) return;
    remove();
    subscription[Symbol.dispose]();
  });
  return {
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
      if (!isShared) remove();
    },
  };
}
