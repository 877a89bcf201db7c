import { contentDigest } from '../../src/signatures/content-digest.ts';
import { newDeviceKey } from '../../src/signatures/ed25519-key.ts';
import {
  type CraftedRequest,
  craftRequest,
  PROFILE_COMPONENTS,
  type Signing,
  withFields,
} from './signed-request.ts';

/** A signed request that is refused, and with which code. */
export interface RefusalCase {
  readonly name: string;
  readonly code: string;
  make(signing: Signing): Request;
}

const BODY = '{"a":1}';
const OTHER_BODY = '{"a":2}';

type Fields = Readonly<Record<string, string | null>>;

/** Everything that a signed request can be refused with before or after its signature is looked at, one fault each. */
export const REFUSAL_CASES: readonly RefusalCase[] = [
  ...changed('signature_missing', {
    'neither field': () => ({ signature: null, 'signature-input': null }),
    'a token instead': () => ({ signature: null, 'signature-input': null, authorization: 'Bearer pstd_x' }),
  }),
  ...changed('signature_malformed', {
    'no Signature': () => ({ signature: null }),
    'no Signature-Input': () => ({ 'signature-input': null }),
    'an empty Signature': () => ({ signature: '' }),
    'an empty Signature-Input': () => ({ 'signature-input': '' }),
    'two signatures': ({ signature, input }) => ({
      signature: `${signature}, other${signature.slice(3)}`,
      'signature-input': `${input}, other${input.slice(3)}`,
    }),
    'the same label twice': ({ signature, input }) => ({
      signature: `${signature}, ${signature}`,
      'signature-input': `${input}, ${input}`,
    }),
    'a second Signature alone': ({ signature }) => ({ signature: `${signature}, ${signature}` }),
    'another label': ({ signature }) => ({ signature: signature.replace('sig=', 'gis=') }),
    'a label in upper case': ({ signature, input }) => ({
      signature: signature.replace('sig=', 'Sig='),
      'signature-input': input.replace('sig=', 'Sig='),
    }),
    'a label that begins with a digit': ({ signature, input }) => ({
      signature: signature.replace('sig=', '1sig='),
      'signature-input': input.replace('sig=', '1sig='),
    }),
    'no label': ({ signature, input }) => ({
      signature: signature.slice(4),
      'signature-input': input.slice(4),
    }),
    'a blank before the list': ({ input }) => ({ 'signature-input': input.replace('=(', '= (') }),
    'a blank before a parameter': ({ input }) => ({ 'signature-input': input.replace(';nonce', '; nonce') }),
    'no parentheses': ({ input }) => ({ 'signature-input': input.replaceAll(/[()]/g, '') }),
    'a list that does not end': ({ input }) => ({ 'signature-input': input.replace(')', '') }),
    'a list in a list': ({ input }) => ({ 'signature-input': input.replace('(', '((').replace(')', '))') }),
    'a comma in front': ({ input }) => ({ 'signature-input': `,${input}` }),
    'a semicolon at the end': ({ input }) => ({ 'signature-input': `${input};` }),
    'only a label': () => ({ 'signature-input': 'sig' }),
    'a signature as a string': ({ signature }) => ({ signature: signature.replaceAll(':', '"') }),
    'a signature as a token': ({ signature }) => ({ signature: signature.replaceAll(':', '') }),
    'a signature as a number': () => ({ signature: 'sig=1' }),
    'a signature in base64url': ({ signature }) => ({ signature: `sig=:_${signature.slice(6)}` }),
    'a signature without padding': ({ signature }) => ({ signature: signature.replace('==:', ':') }),
    'a signature of 63 bytes': () => ({ signature: bytes(63) }),
    'a signature of 65 bytes': () => ({ signature: bytes(65) }),
    'a signature of no bytes': () => ({ signature: bytes(0) }),
    'bits that no byte has': ({ signature }) => ({ signature: signature.replace(/.==:$/, 'B==:') }),
    'a blank in a signature': ({ signature }) => ({
      signature: `${signature.slice(0, 20)} ${signature.slice(20)}`,
    }),
    'a parameter of a signature': ({ signature }) => ({ signature: `${signature};a=1` }),
    'a field longer than any': ({ input }) => ({ 'signature-input': `${input};a="${'a'.repeat(2_000)}"` }),
    'a Signature longer than any': ({ signature }) => ({ signature: `${'s'.repeat(1_000)}${signature}` }),
    'characters beyond ASCII in a label': ({ input }) => ({ 'signature-input': `é${input}` }),
  }),
  ...crafted('signature_components', {
    'no components': { components: '' },
    'not @method': { components: '"@authority" "@path" "@query"' },
    'not @authority': { components: '"@method" "@path" "@query"' },
    'not @path': { components: '"@method" "@authority" "@query"' },
    'not @query': { components: '"@method" "@authority" "@path"' },
    'another order': { components: '"@authority" "@method" "@path" "@query"' },
    'the digest first': { components: `"content-digest" ${PROFILE_COMPONENTS}`, body: BODY },
    '@method twice': { components: `"@method" ${PROFILE_COMPONENTS}` },
    'also the date': { components: `${PROFILE_COMPONENTS} "date"` },
    'also @scheme': { components: `${PROFILE_COMPONENTS} "@scheme"` },
    'also @target-uri': { components: `${PROFILE_COMPONENTS} "@target-uri"` },
    '@target-uri alone': { components: '"@target-uri"' },
    '@request-target instead of path and query': { components: '"@method" "@authority" "@request-target"' },
    'also the host': { components: `${PROFILE_COMPONENTS} "host"` },
    'also the type of the body': {
      components: `${PROFILE_COMPONENTS} "content-digest" "content-type"`,
      body: BODY,
    },
    'one parameter of the query': { components: '"@method" "@authority" "@path" "@query-param";name="a"' },
    'a component of another request': { components: '"@method";req "@authority" "@path" "@query"' },
    'a component with sf': { components: `${PROFILE_COMPONENTS} "content-digest";sf`, body: BODY },
    'a component with bs': { components: '"@method" "@authority";bs "@path" "@query"' },
    'a component with tr': { components: `${PROFILE_COMPONENTS} "content-digest";tr`, body: BODY },
    'a component with key': {
      components: `${PROFILE_COMPONENTS} "content-digest";key="sha-256"`,
      body: BODY,
    },
    'a component in upper case': { components: '"@METHOD" "@authority" "@path" "@query"' },
    'two blanks between components': { components: '"@method"  "@authority" "@path" "@query"' },
    'a blank before the components': { components: ` ${PROFILE_COMPONENTS}` },
    'a blank after the components': { components: `${PROFILE_COMPONENTS} ` },
    'components that are tokens': { components: '@method @authority @path @query' },
    'a body that is not covered': { components: PROFILE_COMPONENTS, body: BODY },
    'a digest without a body': {
      components: `${PROFILE_COMPONENTS} "content-digest"`,
      digest: contentDigest(Buffer.of()),
    },
  }),
  ...crafted('signature_parameters', {
    'no parameters': { parameters: () => '' },
    'no created': { parameters: ({ nonce, keyid, tag }) => nonce + keyid + tag },
    'no nonce': { parameters: ({ created, keyid, tag }) => created + keyid + tag },
    'no keyid': { parameters: ({ created, nonce, tag }) => created + nonce + tag },
    'no tag': { parameters: ({ created, nonce, keyid }) => created + nonce + keyid },
    'created twice': { parameters: (usual) => all(usual) + usual.created },
    'nonce twice': { parameters: (usual) => `${all(usual)};nonce="AAAAAAAAAAAAAAAAAAAAAA"` },
    'keyid twice': { parameters: (usual) => usual.keyid + all(usual) },
    'tag twice': { parameters: (usual) => all(usual) + usual.tag },
    'alg twice': { parameters: (usual) => `${all(usual)};alg="ed25519";alg="ed25519"` },
    expires: { parameters: (usual) => `${all(usual)};expires=1900000000` },
    'an unknown parameter': { parameters: (usual) => `${all(usual)};x=1` },
    'a parameter without a value': { parameters: (usual) => `${all(usual)};x` },
    'a name that objects have': { parameters: (usual) => `${all(usual)};constructor="a"` },
    'another algorithm': { parameters: (usual) => `${all(usual)};alg="hmac-sha256"` },
    'another curve': { parameters: (usual) => `${all(usual)};alg="ed448"` },
    'alg as a token': { parameters: (usual) => `${all(usual)};alg=ed25519` },
    'created as a string': { parameters: (usual) => all({ ...usual, created: ';created="1893456000"' }) },
    'created as a decimal': { parameters: (usual) => all({ ...usual, created: `${usual.created}.5` }) },
    'created before 1970': { parameters: (usual) => all({ ...usual, created: ';created=-1893456000' }) },
    'created with a zero in front': {
      parameters: (usual) => all({ ...usual, created: ';created=01893456000' }),
    },
    'created as a date': { parameters: (usual) => all({ ...usual, created: ';created=@1893456000' }) },
    'created in exponents': { parameters: (usual) => all({ ...usual, created: ';created=1e9' }) },
    'created of no end': { parameters: (usual) => all({ ...usual, created: `;created=${'9'.repeat(40)}` }) },
    'created without a value': { parameters: (usual) => all({ ...usual, created: ';created' }) },
    'a short nonce': { nonce: 'AAAAAAAAAAAAAAA' },
    'a long nonce': { nonce: 'A'.repeat(89) },
    'an empty nonce': { nonce: '' },
    'a nonce with a quote': { nonce: 'AAAAAAAAAAAAAAAAAAAA\\"A' },
    'a nonce with a blank': { nonce: 'AAAAAAAAAAAAAAAAAA AAA' },
    'a nonce as bytes': {
      parameters: (usual) => all({ ...usual, nonce: ';nonce=:AAAAAAAAAAAAAAAAAAAAAA==:' }),
    },
    'a keyid of something else': { sessionId: 'dev_abcdefghijklmnopqrstuvwxyz' },
    'a keyid that is the key': { sessionId: 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs' },
    'a keyid in upper case': { sessionId: `ses_${'A'.repeat(26)}` },
    'a keyid that is too long': { sessionId: `ses_${'a'.repeat(27)}` },
    'an empty keyid': { sessionId: '' },
    'another tag': { parameters: (usual) => all({ ...usual, tag: ';tag="web-bot-auth"' }) },
    'the tag of pairing': { parameters: (usual) => all({ ...usual, tag: ';tag="postern-pair-v1"' }) },
    'a later tag': { parameters: (usual) => all({ ...usual, tag: ';tag="postern-request-v2"' }) },
    'a tag as a token': { parameters: (usual) => all({ ...usual, tag: ';tag=postern-request-v1' }) },
  }),
  ...aged('signature_stale', { '61 s ago': -61, 'an hour ago': -3_600, 'a year ago': -31_536_000 }),
  ...aged('signature_future', { 'in 31 s': 31, 'in an hour': 3_600, 'in a year': 31_536_000 }),
  ...crafted('signature_invalid', {
    'another key': { key: newDeviceKey() },
    'another authority': { authority: 'other.example.test' },
    'the authority in upper case': { authority: 'AUTH.EXAMPLE.TEST' },
    'the authority with its port': { authority: 'auth.example.test:443' },
  }),
  ...changed('signature_invalid', {
    'a signature of zeros': () => ({ signature: bytes(64) }),
    'one bit of the signature': ({ signature }) => ({ signature: flipped(signature, 0) }),
    'one bit of its second half': ({ signature }) => ({ signature: flipped(signature, 40) }),
    'another nonce': ({ input }) => ({ 'signature-input': input.replace(/nonce="./, 'nonce="_') }),
    'created a second later': ({ input }) => ({
      'signature-input': input.replace(/created=(\d+)/, (_, at: string) => `created=${Number(at) + 1}`),
    }),
    'another order of parameters': ({ input }) => ({
      'signature-input': input.replace(/(;created=\d+)(;nonce="[^"]+")/, '$2$1'),
    }),
    'alg added': ({ input }) => ({ 'signature-input': `${input};alg="ed25519"` }),
  }),
  ...resent('signature_invalid', {
    'another method': { method: 'PATCH' },
    'another path': { target: '/api/v1/device/other?a=1' },
    'another case of the path': { target: '/api/v1/device/Echo?a=1' },
    'a slash at the end': { target: '/api/v1/device/echo/?a=1' },
    'another query': { target: '/api/v1/device/echo?a=2' },
    'no query': { target: '/api/v1/device/echo' },
    'a parameter added': { target: '/api/v1/device/echo?a=1&b=2' },
    'another encoding of the path': { target: '/api/v1/device/%65cho?a=1' },
  }),
  ...withBody('digest_missing', { 'no digest': { fields: () => ({ 'content-digest': null }) } }),
  ...withBody('digest_malformed', {
    'an empty digest': { fields: () => ({ 'content-digest': '' }) },
    'an old algorithm': { fields: () => ({ 'content-digest': 'md5=:Sd/dVLAcvNLSq16eXua5uQ==:' }) },
    'a digest of another algorithm': {
      fields: (digest) => ({ 'content-digest': digest.replace('256', '512') }),
    },
    'a digest twice': { fields: (digest) => ({ 'content-digest': `${digest}, ${digest}` }) },
    'a digest without padding': { fields: (digest) => ({ 'content-digest': digest.replace('=:', ':') }) },
    'a digest in hexadecimal': { fields: () => ({ 'content-digest': `sha-256=${'ab'.repeat(32)}` }) },
  }),
  ...withBody('signature_invalid', {
    'another digest': { fields: () => ({ 'content-digest': contentDigest(Buffer.from(OTHER_BODY)) }) },
    'another body with its digest': {
      body: OTHER_BODY,
      fields: () => ({ 'content-digest': contentDigest(Buffer.from(OTHER_BODY)) }),
    },
  }),
  ...withBody('digest_mismatch', {
    'another body': { body: OTHER_BODY },
    'a longer body': { body: `${BODY} ` },
    'a shorter body': { body: BODY.slice(0, -1) },
  }),
  ...crafted('digest_mismatch', {
    'a sha-512 of something else': { body: BODY, digest: sha512(OTHER_BODY) },
    'two digests of which one fits': {
      body: BODY,
      digest: `${contentDigest(Buffer.from(BODY))}, ${sha512(OTHER_BODY)}`,
    },
  }),
];

function all(usual: Readonly<Record<string, string>>): string {
  return Object.values(usual).join('');
}

function bytes(length: number): string {
  return `sig=:${Buffer.alloc(length).toString('base64')}:`;
}

function flipped(signature: string, at: number): string {
  const value = Buffer.from(signature.slice(5, -1), 'base64');
  value.writeUInt8(value.readUInt8(at) ^ 1, at);
  return `sig=:${value.toString('base64')}:`;
}

function sha512(body: string): string {
  return `sha-512=:${Bun.SHA512.hash(body, 'base64')}:`;
}

/** Requests that are made and signed with a fault. */
function crafted(code: string, cases: Readonly<Record<string, CraftedRequest>>): RefusalCase[] {
  return Object.entries(cases).map(([name, request]) => ({
    name,
    code,
    make: (signing) => craftRequest(request, signing),
  }));
}

/** Requests that are right, and whose fields are changed on their way. */
function changed(
  code: string,
  cases: Readonly<Record<string, (fields: { signature: string; input: string }) => Fields>>,
): RefusalCase[] {
  return Object.entries(cases).map(([name, change]) => ({
    name,
    code,
    make(signing) {
      const request = craftRequest({}, signing);
      const signature = request.headers.get('signature') ?? '';
      const input = request.headers.get('signature-input') ?? '';
      return withFields(request, change({ signature, input }));
    },
  }));
}

/** Requests that were made at another time, in seconds from now. */
function aged(code: string, cases: Readonly<Record<string, number>>): RefusalCase[] {
  return Object.entries(cases).map(([name, seconds]) => ({
    name,
    code,
    make: (signing) => craftRequest({ created: Math.floor(signing.now / 1_000) + seconds }, signing),
  }));
}

/** Requests whose signature is sent with another request. */
function resent(code: string, cases: Readonly<Record<string, CraftedRequest>>): RefusalCase[] {
  return Object.entries(cases).map(([name, other]) => ({
    name,
    code,
    make(signing) {
      const { headers } = craftRequest({}, signing);
      const fields = Object.fromEntries(
        ['signature', 'signature-input'].map((field) => [field, headers.get(field)]),
      );
      return withFields(craftRequest(other, signing), fields);
    },
  }));
}

interface ChangedBody {
  body?: string;
  fields?: (digest: string) => Fields;
}

/** Requests with a body, of which body or digest are changed on their way. */
function withBody(code: string, cases: Readonly<Record<string, ChangedBody>>): RefusalCase[] {
  return Object.entries(cases).map(([name, { body = BODY, fields = () => ({}) }]) => ({
    name,
    code,
    make(signing) {
      const request = craftRequest({ body: BODY }, signing);
      const changedRequest = withFields(request, fields(request.headers.get('content-digest') ?? ''));
      const headers = new Headers(changedRequest.headers);
      headers.set('content-length', String(Buffer.byteLength(body)));
      return new Request(changedRequest.url, { method: 'POST', headers, body });
    },
  }));
}
