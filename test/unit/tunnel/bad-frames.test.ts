import { describe, expect, test } from 'bun:test';
import { CloseCode, FrameType, GoAwayCode } from '../../../src/tunnel/constants.ts';
import { controlFrame } from '../../../src/tunnel/frame.ts';
import {
  ACK,
  creditFrame,
  dataFrame,
  FIN,
  goAwayFrame,
  pingFrame,
  RST,
  rawTunnel,
  SYN,
} from '../../support/raw-tunnel.ts';
import { recordingReader } from '../../support/tunnel.ts';

const WINDOW = 256 * 1024;
const FRAME = 16 * 1024;

/** A mux that takes streams; the first one, 1, is open and nobody reads it. */
function withStream() {
  const tunnel = rawTunnel({ onStream: () => undefined });
  tunnel.mux.receive(dataFrame(1, SYN, 'x'));
  return tunnel;
}

describe('frames that break the protocol end the tunnel', () => {
  const wrongLength = dataFrame(1, 0, 'abc');
  wrongLength[11] = 4;
  const otherVersion = dataFrame(1, 0, 'abc');
  otherVersion[0] = 1;
  const upperFlags = dataFrame(1, 0, 'abc');
  upperFlags[2] = 1;
  test.each<[string, (Uint8Array | string)[]]>([
    ['text', ['hello']],
    ['nothing', [new Uint8Array(0)]],
    ['half a header', [new Uint8Array(11)]],
    ['another version', [otherVersion]],
    ['an unknown type', [controlFrame(4, 0, 0, 0)]],
    ['an unknown type with a stream', [controlFrame(200, 0, 1, 0)]],
    ['unknown flags', [dataFrame(1, 16, 'x')]],
    ['flags of the upper byte', [upperFlags]],
    ['less data than announced', [wrongLength]],
    ['data behind a ping', [Buffer.concat([pingFrame(SYN, 1), Buffer.from('x')])]],
    ['two frames in one message', [Buffer.concat([creditFrame(1, 0, 1), creditFrame(1, 0, 1)])]],
    ['data for the session itself', [dataFrame(0, 0, 'x')]],
    ['a stream with id 0', [dataFrame(0, SYN, 'x')]],
    ['a stream of our parity', [dataFrame(2, SYN, 'x')]],
    ['the same stream twice', [dataFrame(1, SYN, 'x')]],
    ['a stream before the last one', [dataFrame(7, SYN, 'x'), dataFrame(5, SYN, 'x')]],
    ['data for a stream that never was', [dataFrame(9, 0, 'x')]],
    ['credit for a stream that never was', [creditFrame(9, 0, 1)]],
    ['the end of a stream that never was', [dataFrame(9, FIN, '')]],
    ['the reset of a stream that we never opened', [creditFrame(2, RST, 0)]],
    ['data after the end', [dataFrame(1, FIN, 'x'), dataFrame(1, 0, 'x')]],
    ['a frame that is too long', [dataFrame(1, 0, new Uint8Array(FRAME + 1))]],
    ['a window beyond 32 bits', [creditFrame(1, 0, 2 ** 32 - 1)]],
    ['a ping with a stream', [controlFrame(FrameType.ping, SYN, 1, 0)]],
    ['a ping without flags', [pingFrame(0, 0)]],
    ['a ping both asked and answered', [pingFrame(SYN | ACK, 0)]],
    ['an answer to no ping', [pingFrame(ACK, 1)]],
    ['a go away with a stream', [controlFrame(FrameType.goAway, 0, 1, 0)]],
    ['a go away with flags', [controlFrame(FrameType.goAway, SYN, 0, 0)]],
    ['data beyond the window', Array.from({ length: 17 }, () => dataFrame(1, 0, new Uint8Array(FRAME)))],
  ])('%s', async (_what, messages) => {
    const tunnel = withStream();
    const heard = recordingReader(tunnel.mux.streams.get(1) ?? expect.unreachable(), { hold: true });
    for (const message of messages) tunnel.mux.receive(message);
    expect(tunnel.ends).toMatchObject([{ kind: 'protocol', code: CloseCode.protocolError }]);
    expect(tunnel.closes).toEqual([CloseCode.protocolError]);
    expect(await tunnel.sent()).toMatchObject([{ type: FrameType.goAway, length: GoAwayCode.protocolError }]);
    expect(heard.resets.length + (heard.ended ? 1 : 0)).toBeGreaterThan(0);
    expect(tunnel.mux.streams.size).toBe(0);
    expect(tunnel.mux.bufferedBytes).toBe(0);
    expect(tunnel.mux.open()).toBeUndefined();
    // What still arrives is nothing any more.
    tunnel.mux.receive('more');
    expect(tunnel.ends).toHaveLength(1);
  });
});

describe('frames that are late or odd, and part of the protocol', () => {
  test('data that was under way when the stream was reset here', async () => {
    const tunnel = withStream();
    tunnel.mux.streams.get(1)?.reset();
    for (let at = 0; at < 15; at++) tunnel.mux.receive(dataFrame(1, 0, new Uint8Array(FRAME)));
    tunnel.mux.receive(dataFrame(1, FIN, ''));
    expect(await tunnel.sent()).toMatchObject([{ type: FrameType.windowUpdate, flags: RST, id: 1 }]);
    expect(tunnel.ends).toEqual([]);
    expect(tunnel.mux.bufferedBytes).toBe(0);
  });

  test('but not more of it than the window allowed', () => {
    const tunnel = withStream();
    tunnel.mux.streams.get(1)?.reset();
    for (let at = 0; at < WINDOW / FRAME; at++) tunnel.mux.receive(dataFrame(1, 0, new Uint8Array(FRAME)));
    expect(tunnel.ends).toMatchObject([{ kind: 'protocol' }]);
  });

  test('credit and resets of streams that both sides have finished', async () => {
    const tunnel = rawTunnel({ onStream: (stream) => stream.finish() });
    tunnel.mux.receive(dataFrame(1, SYN | FIN, ''));
    expect(await tunnel.sent()).toMatchObject([{ flags: ACK | FIN, id: 1 }]);
    tunnel.mux.receive(creditFrame(1, 0, 100));
    tunnel.mux.receive(creditFrame(1, RST, 0));
    expect(tunnel.ends).toEqual([]);
    expect(tunnel.mux.streams.size).toBe(0);
  });

  test('a stream that begins and is reset in one frame', () => {
    const tunnel = rawTunnel({ onStream: (stream) => void recordingReader(stream) });
    tunnel.mux.receive(creditFrame(1, SYN | RST, 0));
    expect(tunnel.mux.streams.size).toBe(0);
    expect(tunnel.ends).toEqual([]);
  });

  test('an end that comes with credit', async () => {
    const tunnel = withStream();
    const heard = recordingReader(tunnel.mux.streams.get(1) ?? expect.unreachable());
    tunnel.mux.receive(creditFrame(1, FIN, 5));
    expect(heard.ended).toBe(true);
    expect(tunnel.mux.streams.get(1)?.stats.sendWindow).toBe(WINDOW + 5);
  });
});

describe('floods end the tunnel', () => {
  test.each<[string, (at: number) => Uint8Array]>([
    ['pings', (at) => pingFrame(SYN, at)],
    ['empty data', () => dataFrame(1, 0, '')],
    ['credit of nothing', () => creditFrame(1, 0, 0)],
    ['ends of streams that are gone', () => dataFrame(3, FIN, '')],
    ['streams opened and reset at once', (at) => creditFrame(5 + 2 * at, SYN | RST, 0)],
    ['streams opened', (at) => dataFrame(5 + 2 * at, SYN, 'x')],
    ['going away again', () => goAwayFrame(0)],
  ])('%s', async (_what, frame) => {
    const tunnel = rawTunnel({ onStream: () => undefined, limits: { streams: 100, opensPerSecond: 100 } });
    tunnel.mux.receive(dataFrame(1, SYN, 'x'));
    tunnel.mux.receive(dataFrame(3, SYN, 'x'));
    tunnel.mux.receive(creditFrame(3, RST, 0));
    let sent = 0;
    while (tunnel.ends.length === 0 && sent < 100_000) tunnel.mux.receive(frame(sent++));
    expect(tunnel.ends).toMatchObject([{ kind: 'flood', code: CloseCode.flood }]);
    expect(tunnel.closes).toEqual([CloseCode.flood]);
    expect((await tunnel.sent()).at(-1)).toMatchObject({
      type: FrameType.goAway,
      length: GoAwayCode.protocolError,
    });
    expect(sent).toBeLessThan(10_000);
  });

  test('a ping every second, and streams at the pace that is allowed, do not', async () => {
    const tunnel = rawTunnel({ onStream: () => undefined, limits: { opensPerSecond: 10 } });
    for (let second = 0; second < 1000; second++) {
      tunnel.mux.receive(pingFrame(SYN, second));
      for (let at = 0; at < 10; at++) {
        const id = 1 + 2 * (second * 10 + at);
        tunnel.mux.receive(dataFrame(id, SYN, 'x'));
        tunnel.mux.receive(creditFrame(id, RST, 0));
      }
      await tunnel.clock.advance(1000);
    }
    expect(tunnel.ends).toEqual([]);
    expect(tunnel.mux.streams.size).toBe(0);
  });

  test('answers that nobody takes do not pile up', async () => {
    const tunnel = rawTunnel({ onStream: () => undefined, limits: { streams: 1, opensPerSecond: 1e6 } });
    tunnel.full = true;
    tunnel.mux.receive(pingFrame(SYN, 1));
    expect(await tunnel.sent()).toHaveLength(1);
    for (let at = 0; at < 4000 && tunnel.ends.length === 0; at++) {
      tunnel.mux.receive(dataFrame(1 + 2 * at, SYN, 'x'));
    }
    expect(tunnel.ends).toMatchObject([{ kind: 'flood' }]);
    expect(await tunnel.sent()).toHaveLength(1);
  });
});

describe('limits', () => {
  test('streams beyond the limit are reset, the others live', async () => {
    const tunnel = rawTunnel({ onStream: () => undefined, limits: { streams: 2 } });
    for (const id of [1, 3, 5]) tunnel.mux.receive(dataFrame(id, SYN, 'x'));
    expect(await tunnel.sent()).toMatchObject([{ type: FrameType.windowUpdate, flags: RST, id: 5 }]);
    expect([...tunnel.mux.streams.keys()]).toEqual([1, 3]);
    expect(tunnel.mux.open()).toBeUndefined();
  });

  test('streams opened too fast are reset, later ones are taken', async () => {
    const tunnel = rawTunnel({ onStream: () => undefined, limits: { opensPerSecond: 2 } });
    for (const id of [1, 3, 5]) tunnel.mux.receive(dataFrame(id, SYN, 'x'));
    expect(await tunnel.sent()).toMatchObject([{ flags: RST, id: 5 }]);
    await tunnel.clock.advance(1000);
    tunnel.mux.receive(dataFrame(7, SYN, 'x'));
    expect([...tunnel.mux.streams.keys()]).toEqual([1, 3, 7]);
  });

  test('without a taker every stream is reset', async () => {
    const tunnel = rawTunnel();
    tunnel.mux.receive(dataFrame(1, SYN, 'x'));
    expect(await tunnel.sent()).toMatchObject([{ flags: RST, id: 1 }]);
  });

  test('a taker that throws ends the tunnel as a bug', async () => {
    const error = new Error('a bug');
    const tunnel = rawTunnel({
      onStream: () => {
        throw error;
      },
    });
    tunnel.mux.receive(dataFrame(1, SYN, 'x'));
    expect(tunnel.ends).toMatchObject([{ kind: 'internal', code: CloseCode.internalError, error }]);
    expect(await tunnel.sent()).toMatchObject([{ type: FrameType.goAway, length: GoAwayCode.internalError }]);
  });
});
