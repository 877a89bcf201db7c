import { describe, expect, test } from 'bun:test';
import {
  oauthClientsAreAnswered,
  oauthClientsDiffer,
  resourceServersDiffer,
  resourceServersNameBackends,
} from '../../../src/config/checks/oauth.ts';
import { configSchema } from '../../../src/config/schema.ts';

const SECRET = 'a secret of a resource server, long enough';
const parse = (authorization_server: unknown) => configSchema.safeParse({ authorization_server });
const client = (changes: Record<string, unknown> = {}) => ({
  client: [{ client_id: 'claude', name: 'Claude', redirect_uris: ['https://claude.ai/cb'], ...changes }],
});
const server = (changes: Record<string, unknown> = {}) => ({
  resource_server: [{ id: 'gateway', secret: SECRET, backends: ['whoami'], ...changes }],
});

describe('[authorization_server] takes', () => {
  test.each([
    [{}],
    [client()],
    [client({ redirect_uris: ['http://localhost/cb', 'myprogram://cb'] })],
    [server()],
    [{ private_use_schemes: ['com.example.app'] }],
    [{ code_lifetime: '10m' }],
  ])('%j', (block) => expect(parse(block).success).toBe(true));
});

describe('[authorization_server] refuses', () => {
  test.each([
    [{ code_lifetime: '0s' }],
    [{ code_lifetime: '11m' }],
    [{ clients: 0 }],
    [{ limits_window: '-1s' }],
    [{ private_use_schemes: ['javascript'] }],
    [{ private_use_schemes: ['https'] }],
    [{ private_use_schemes: ['Cursor'] }],
    [client({ client_id: 'https://a.example/client.json' })],
    [client({ client_id: 'two words' })],
    [client({ device_flow: 'yes' })],
    [{ device_code_lifetime: '2h' }],
    [{ device_poll_interval: '0s' }],
    [{ user_codes: 0 }],
    [client({ redirect_uris: ['http://a.example/cb'] })],
    [client({ redirect_uris: ['javascript:alert(1)'] })],
    [client({ redirect_uris: ['https://a.example/#x'] })],
    [client({ redirect_uris: ['/cb'] })],
    [client({ client_secret: 'x' })],
    [server({ secret: 'short' })],
    [server({ backends: [] })],
    [server({ id: 'a b' })],
  ])('%j', (block) => expect(parse(block).success).toBe(false));
});

test('clients and resource servers differ by name, and name backends that are there', () => {
  const double = <T>(block: Record<string, T[]>) =>
    Object.fromEntries(Object.entries(block).map(([key, list]) => [key, [...list, ...list]]));
  const config = (block: unknown) => configSchema.parse({ authorization_server: block });
  expect([...oauthClientsDiffer(config(double(client())))]).toHaveLength(1);
  expect([...resourceServersDiffer(config(double(server())))]).toHaveLength(1);
  expect([...resourceServersNameBackends(config(server()))]).toEqual([]);
  expect([...resourceServersNameBackends(config(server({ backends: ['files'] })))]).toMatchObject([
    { path: ['authorization_server', 'resource_server', 0, 'backends', 0] },
  ]);
});

test('a client without a redirect URI has to show codes', () => {
  const faults = (changes: Record<string, unknown>) => [
    ...oauthClientsAreAnswered(configSchema.parse({ authorization_server: client(changes) })),
  ];
  expect(faults({ redirect_uris: [] })).toMatchObject([
    { path: ['authorization_server', 'client', 0, 'redirect_uris'] },
  ]);
  expect(faults({ redirect_uris: [], device_flow: true })).toEqual([]);
  expect(faults({})).toEqual([]);
});
