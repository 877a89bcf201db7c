import { askAnyServer, type ControlPlace } from '../control/any-server.ts';

/** Whether a server of this data directory listens for commands. */
export async function serverAnswers(place: ControlPlace): Promise<boolean> {
  return (await askAnyServer(place, { operation: 'status', input: {} })) !== undefined;
}
