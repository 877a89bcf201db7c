/** One request of a client of 2026-07-28, as plain HTTP, able to answer whatever a server may want to know. */
export function postModern(
  resource: string,
  token: string,
  method: string,
  { name, ...params }: { name: string } & Record<string, unknown>,
): Promise<Response> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} }, sampling: {}, roots: {} },
  };
  return fetch(resource, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': name,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { name, ...params, _meta: meta } }),
  });
}
