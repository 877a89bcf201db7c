import { z } from 'zod';
import { duration } from './duration.ts';
import { secretFault } from './faults.ts';
import { clientIdFault, redirectUriFault, schemeFault } from './faults-oauth.ts';
import { checkedText, count, list, tables, text, yesNo } from './values.ts';

const client = () =>
  z.strictObject(
    {
      client_id: checkedText('a client id', clientIdFault).describe(
        'what the client calls itself in requests',
      ),
      name: text('a text').describe('what people read on the consent page'),
      redirect_uris: list(checkedText('a redirect URI', redirectUriFault), 'a list of redirect URIs')
        .default([])
        .describe('where it may be sent back to, exactly; http on loopback takes any port'),
      device_flow: yesNo()
        .default(false)
        .describe('whether it may show a code for people to type at `/device` instead (RFC 8628)'),
    },
    { error: 'a table [[authorization_server.client]]' },
  );

const resourceServer = () =>
  z.strictObject(
    {
      id: checkedText('an id', clientIdFault).describe('user name of its HTTP Basic credentials'),
      secret: checkedText('at least 32 bytes', secretFault)
        .meta({ secret: true })
        .describe('password of its HTTP Basic credentials, at least 32 bytes'),
      backends: list(text('the name of a backend'), 'a list of names')
        .refine((names) => names.length > 0, { error: 'at least one backend' })
        .describe('backends whose tokens it may ask about; every other token is inactive to it'),
    },
    { error: 'a table [[authorization_server.resource_server]]' },
  );

/** Editors that register a scheme of their own with the operating system (RFC 8252 section 7.1). */
const EDITORS = ['cursor', 'vscode', 'vscode-insiders', 'vscodium', 'windsurf', 'zed', 'jetbrains', 'claude'];

export const authorizationServerSchema = () =>
  z.strictObject(
    {
      consent_lifetime: duration('10m').describe('time to answer the consent page, and to link an account'),
      code_lifetime: duration('60s', '10m').describe('life of an authorization code'),
      unused_client_lifetime: duration('24h').describe(
        'a client that registered itself and that nobody consented to is forgotten after this long',
      ),
      client_lifetime: duration('365d').describe(
        'a client that registered itself is forgotten this long after the last consent',
      ),
      clients: count(10_000).describe('clients that registered themselves, at most'),
      registrations_per_address: count(60).describe('registrations per address and window'),
      documents_per_user: count(60).describe('client id metadata documents fetched per person and window'),
      limits_window: duration('1h').describe('window of these limits'),
      document_lifetime: duration('1h').describe('how long a client id metadata document is believed'),
      private_use_schemes: list(checkedText('a URI scheme', schemeFault), 'a list of URI schemes')
        .default(EDITORS)
        .describe('schemes besides https that redirect URIs may have: of programs that you know'),
      device_code_lifetime: duration('10m', '1h').describe('time to type the code that a program shows'),
      device_poll_interval: duration('5s', '1m').describe('how long a program waits between two questions'),
      device_requests: count(1_000).describe('codes of programs that may wait at once, in all'),
      device_requests_per_address: count(60).describe('codes asked for per address and window'),
      user_codes_per_user: count(30).describe('wrong codes typed at `/device` per person and window'),
      user_codes: count(1_000).describe('wrong codes typed at `/device` in all per window'),
      client: tables('authorization_server.client', client).describe('clients that need not register'),
      resource_server: tables('authorization_server.resource_server', resourceServer).describe(
        'servers of yours that may ask whether a token is good (RFC 7662)',
      ),
    },
    { error: 'a table [authorization_server]' },
  );
