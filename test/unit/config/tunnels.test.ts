import { describe, expect, test } from 'bun:test';
import { heartbeatsComeInTime, relayStandsApart } from '../../../src/config/checks/devices.ts';
import { configSchema } from '../../../src/config/schema.ts';

const parse = (devices: unknown) => configSchema.safeParse({ devices });

describe('[devices] refuses, for tunnels', () => {
  test.each([
    [{ relay_url: 'relay.example.com' }],
    [{ relay_url: 'http://relay.example.com' }],
    [{ relay_url: 'wss://relay.example.com' }],
    [{ relay_url: 'https://relay.example.com/api' }],
    [{ heartbeat_interval: '0s' }],
    [{ heartbeat_timeout: '-1s' }],
    [{ tunnel_memory_bytes: 0 }],
    [{ streams_per_tunnel: 1.5 }],
    [{ answer_timeout: '2h' }],
    [{ max_message_bytes: 1_000_000_000 }],
  ])('%j', (block) => expect(parse(block).success).toBe(false));
});

describe('the relay stands apart', () => {
  const url = 'https://auth.example.com';
  const conflicts = (relay_url: string, rest: object = {}) => {
    const config = configSchema.parse({ url, devices: { relay_url, base: 'dev.example.com' }, ...rest });
    return [...relayStandsApart(config)].map(({ others }) => others.flat().join('.'));
  };

  test('on a host of its own, or on ours', () => {
    expect(conflicts('https://relay.example.com')).toEqual([]);
    expect(conflicts(url)).toEqual([]);
  });

  test('not over another scheme, below the base, nor on a protected host', () => {
    expect(conflicts('http://localhost:7400')).toEqual(['url']);
    expect(conflicts('https://relay.dev.example.com')).toEqual(['devices.base']);
    const rule = [{ host: 'app.example.com', allow: 'everyone' }];
    const forward_auth = { rule };
    expect(conflicts('https://app.example.com', { forward_auth })).toEqual(['forward_auth.rule.0.host']);
  });
});

test('a tunnel may be silent for longer than it takes to ask', () => {
  const conflicts = (devices: object) => [...heartbeatsComeInTime(configSchema.parse({ devices }))];
  expect(conflicts({})).toEqual([]);
  expect(conflicts({ heartbeat_interval: '45s' })).toHaveLength(1);
});
