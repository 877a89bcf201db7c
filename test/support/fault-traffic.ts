import { BACK_WITHIN_MS, type FaultSite } from './fault-site.ts';
import { type SeededRandom, seededRandom } from './random.ts';

/** What became of everything that was asked while the line failed again and again. */
export interface TrafficOutcome {
  succeeded: number;
  /** Told, one way or another, that it did not work. */
  failed: number;
  /** Never told. */
  hung: string[];
  /** Told that it worked, and it had not. */
  wrong: string[];
}

export interface FaultTraffic extends AsyncDisposable {
  stop(): Promise<TrafficOutcome>;
}

/** A stream may last as long as a fault does, and be told of it when that is noticed; anything longer hangs. */
const PATIENCE_MS = BACK_WITHIN_MS * 2 + 3_000;
const BODY = crypto.getRandomValues(new Uint8Array(300_000));
const BODY_HASH = new Bun.SHA256().update(BODY).digest('hex');
const ZEROS = 1_000_000;
const EVENTS_MS = 400;

type Act = (site: FaultSite) => Promise<'done' | 'failed' | `wrong ${string}`>;

const ACTS: Readonly<Record<string, Act>> = {
  async upload(site) {
    const answer = await site.fetch('/hash', { method: 'POST', body: BODY });
    if (!answer.ok) return 'failed';
    const { bytes, sha256 } = (await answer.json()) as { bytes: number; sha256: string };
    return bytes === BODY.length && sha256 === BODY_HASH ? 'done' : `wrong upload ${bytes}`;
  },
  async download(site) {
    const answer = await site.fetch(`/zeros?bytes=${ZEROS}`);
    if (!answer.ok) return 'failed';
    const bytes = await answer.bytes();
    return bytes.length === ZEROS && bytes.every((byte) => byte === 0)
      ? 'done'
      : `wrong download ${bytes.length}`;
  },
  async events(site) {
    const answer = await site.fetch('/events');
    if (!answer.ok) return 'failed';
    let text = '';
    const until = performance.now() + EVENTS_MS;
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (performance.now() > until) break;
    }
    const numbers = [...text.matchAll(/^data: (\d+)\n\n/gm)].map(([, number]) => Number(number));
    return numbers.every((number, at) => number === at) ? 'done' : 'wrong events';
  },
  socket: (site) =>
    new Promise((resolve) => {
      const socket = new WebSocket(site.socketUrl, {
        headers: { authorization: `Bearer ${site.token}` },
        protocols: ['echo'],
      });
      let echoed = 0;
      socket.addEventListener('open', () => socket.send('0'));
      socket.addEventListener('message', ({ data }) => {
        if (data !== String(echoed)) return resolve('wrong echo');
        echoed++;
        if (echoed < 50) socket.send(String(echoed));
        else socket.close();
      });
      socket.addEventListener('close', () => resolve(echoed >= 50 ? 'done' : 'failed'));
    }),
};

/** Asks for one thing after the other in several lines at once, whatever the line between device and server does. */
export function faultTraffic(site: FaultSite, seed: number, lines = 4): FaultTraffic {
  const outcome: TrafficOutcome = { succeeded: 0, failed: 0, hung: [], wrong: [] };
  const ending = new AbortController();

  const once = async (name: string, act: Act) => {
    const late = Bun.sleep(PATIENCE_MS).then(() => 'hung' as const);
    const came = await Promise.race([act(site).catch(() => 'failed' as const), late]);
    if (came === 'done') outcome.succeeded++;
    else if (came === 'failed') outcome.failed++;
    else if (came === 'hung') outcome.hung.push(name);
    else outcome.wrong.push(came);
    // Nobody asks again at once for what has just failed.
    if (came !== 'done') await Bun.sleep(50);
  };
  const line = async (random: SeededRandom) => {
    while (!ending.signal.aborted) {
      const [name, act] = random.pick(Object.entries(ACTS));
      await once(name, act);
    }
  };
  const running = Promise.all(Array.from({ length: lines }, (_, at) => line(seededRandom(seed + at))));
  const stop = async () => {
    ending.abort();
    await running;
    return outcome;
  };
  return { stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
