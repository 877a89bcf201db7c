import type { Check } from './conflict.ts';

/** What all who act without `[[mcp]]` reach (DESIGN: the built-in backend). */
const BUILT_IN = 'whoami';

export const oauthClientsDiffer: Check = function* ({ authorization_server: { client } }) {
  for (const [index, { client_id }] of client.entries()) {
    const first = client.findIndex((other) => other.client_id === client_id);
    const path = ['authorization_server', 'client', index, 'client_id'];
    const others = [['authorization_server', 'client', first, 'client_id']];
    if (first !== index) yield { path, others, expected: 'an id of its own; another client has this one' };
  }
};

export const oauthClientsAreAnswered: Check = function* ({ authorization_server: { client } }) {
  for (const [index, { redirect_uris, device_flow }] of client.entries()) {
    if (redirect_uris.length > 0 || device_flow) continue;
    const path = ['authorization_server', 'client', index, 'redirect_uris'];
    yield { path, others: [], expected: 'at least one redirect URI, or device_flow = true' };
  }
};

export const resourceServersDiffer: Check = function* ({ authorization_server: { resource_server } }) {
  for (const [index, { id }] of resource_server.entries()) {
    const first = resource_server.findIndex((other) => other.id === id);
    const path = ['authorization_server', 'resource_server', index, 'id'];
    const others = [['authorization_server', 'resource_server', first, 'id']];
    if (first !== index)
      yield { path, others, expected: 'an id of its own; another resource server has this one' };
  }
};

export const resourceServersNameBackends: Check = function* ({ authorization_server, mcp }) {
  const known = mcp.length === 0 ? [BUILT_IN] : mcp.map(({ name }) => name);
  for (const [index, { backends }] of authorization_server.resource_server.entries()) {
    for (const [at, name] of backends.entries()) {
      if (known.includes(name)) continue;
      yield {
        path: ['authorization_server', 'resource_server', index, 'backends', at],
        others: [['mcp']],
        expected: `one of the backends: ${known.join(', ')}`,
      };
    }
  }
};
