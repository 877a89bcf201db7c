import { connect, createServer, type Socket } from 'node:net';
import type { SeededRandom } from './random.ts';

/** What goes wrong on a line. */
export const FAULTS = [
  /** Both ends are told that it is over. */
  'cut',
  /** Nothing gets through for a while, then everything that waited. */
  'stall',
  /** Everything takes 200 ms longer, each way. */
  'delay',
  /** The server's end is gone; the device is not told, and what it sends goes nowhere. */
  'half_open_here',
  /** The device's end is gone; the server is not told. */
  'half_open_there',
  /** The line is cut, and nobody answers new ones for a while. */
  'refuse',
  /** The line is cut, and new ones are taken and then ignored for a while. */
  'black_hole',
] as const;
export type Fault = (typeof FAULTS)[number];

/** A line between a device and its server that fails when told to. */
export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Lines that stand now. */
  readonly lines: number;
  /** Does it; resolves once it is over, for those that are. */
  inject(fault: Fault, random: SeededRandom): Promise<void>;
}

const DELAY_MS = 200;

interface Line {
  readonly device: Socket;
  readonly server: Socket;
}

/**
 * `lastsMs` bounds how long a fault that passes lasts; the proxy listens at any free port unless told otherwise. A target
 * that is a function is asked for each new line.
 */
export async function startFaultProxy(
  targetPort: number | (() => number),
  lastsMs: readonly [from: number, to: number],
  listenPort = 0,
): Promise<FaultProxy> {
  const lines = new Set<Line>();
  const abandoned = new Set<Socket>();
  let mode: 'open' | 'refuse' | 'black_hole' = 'open';
  const weather = { delayMs: 0, isStalled: false };
  const pumps = new Set<() => void>();
  const carry = (from: Socket, to: Socket) => {
    const pump = carrier(from, to, weather, () => abandoned.has(to));
    pumps.add(pump);
    from.once('close', () => pumps.delete(pump));
  };

  const server = createServer({ allowHalfOpen: true }, (device) => {
    device.on('error', () => undefined);
    if (mode === 'refuse') return void device.resetAndDestroy();
    if (mode === 'black_hole') return keepSilent(device, abandoned);
    const port = typeof targetPort === 'number' ? targetPort : targetPort();
    const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    upstream.on('error', () => undefined);
    const line = { device, server: upstream };
    lines.add(line);
    carry(device, upstream);
    carry(upstream, device);
    for (const end of [device, upstream]) {
      end.once('close', () => {
        lines.delete(line);
        // Whoever was left with half a line is told in its own time, or never.
        for (const other of [device, upstream]) if (!abandoned.has(other)) other.destroy();
      });
    }
  });

  const cut = () => {
    for (const { device, server: upstream } of lines) {
      device.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    lines.clear();
  };
  const leave = (which: keyof Line) => {
    for (const line of lines) {
      const [kept, gone] = which === 'device' ? [line.device, line.server] : [line.server, line.device];
      keepSilent(kept, abandoned);
      gone.resetAndDestroy();
    }
    lines.clear();
  };
  const closedFor = async (closed: 'refuse' | 'black_hole', ms: number) => {
    mode = closed;
    cut();
    await Bun.sleep(ms);
    mode = 'open';
  };

  await new Promise<void>((resolve) => server.listen(listenPort, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get lines() {
      return lines.size;
    },
    async inject(fault, random) {
      const ms = random.between(...lastsMs);
      switch (fault) {
        case 'cut':
          return cut();
        case 'half_open_here':
          return leave('device');
        case 'half_open_there':
          return leave('server');
        case 'refuse':
        case 'black_hole':
          return closedFor(fault, ms);
        case 'stall':
          weather.isStalled = true;
          await Bun.sleep(ms);
          weather.isStalled = false;
          for (const pump of pumps) pump();
          return undefined;
        case 'delay':
          weather.delayMs = DELAY_MS;
          await Bun.sleep(ms);
          weather.delayMs = 0;
          return undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      cut();
      for (const socket of abandoned) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Weather {
  delayMs: number;
  isStalled: boolean;
}

/** What one direction may have under way. */
const UNDER_WAY_BYTES = 1_048_576;

/** Carries one direction, in order, each piece after what the line took when it came. Returns what looks again. */
function carrier(from: Socket, to: Socket, weather: Weather, isAbandoned: () => boolean): () => void {
  const queue: { chunk: Buffer; dueAt: number }[] = [];
  let bytes = 0;
  let isEnded = false;
  let isFull = false;
  const pump = () => {
    if (isAbandoned()) return undefined;
    while (!weather.isStalled && !isFull && queue[0] !== undefined) {
      const { chunk, dueAt } = queue[0];
      const wait = dueAt - performance.now();
      if (wait > 0) return void setTimeout(pump, wait);
      queue.shift();
      bytes -= chunk.length;
      isFull = !to.destroyed && !to.write(chunk);
    }
    if (bytes < UNDER_WAY_BYTES && !isEnded) from.resume();
    if (isEnded && queue.length === 0) to.end();
    return undefined;
  };
  to.on('drain', () => {
    isFull = false;
    pump();
  });
  from.on('data', (chunk: Buffer) => {
    queue.push({ chunk, dueAt: performance.now() + weather.delayMs });
    bytes += chunk.length;
    if (bytes >= UNDER_WAY_BYTES) from.pause();
    pump();
  });
  from.on('end', () => {
    isEnded = true;
    pump();
  });
  return pump;
}

/** Reads and drops, so that nothing of it is ever noticed at the other end. */
function keepSilent(socket: Socket, abandoned: Set<Socket>): void {
  abandoned.add(socket);
  socket.removeAllListeners('data');
  socket.removeAllListeners('end');
  socket.on('data', () => undefined);
  socket.resume();
  socket.once('close', () => abandoned.delete(socket));
}
