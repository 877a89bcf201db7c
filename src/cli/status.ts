import { askServer } from '../control/client.ts';

/** Whether a server listens for commands at this address. */
export async function serverAnswers(address: string): Promise<boolean> {
  const answer = await askServer(address, { operation: 'status', input: {} });
  return answer !== undefined;
}
