/** Where devices dial to be reached; `relay` is the origin that they dial, of `url` or of `devices.relay_url`. */
export function tunnelUrl(relay: string): string {
  const url = new URL('/api/v1/device/tunnel', relay);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
