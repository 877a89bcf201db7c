import { REQUEST_TAG } from './constants.ts';

/** A signature as its two fields state it; nothing of it is verified. */
export interface StatedSignature {
  /** The serialized value of `@signature-params`, exactly as it was sent. */
  readonly params: string;
  readonly coversDigest: boolean;
  /** Seconds since 1970. */
  readonly created: number;
  readonly nonce: string;
  /** The id of a device session. */
  readonly keyId: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

type StatedParameters = Pick<StatedSignature, 'created' | 'nonce' | 'keyId'>;

/** What is wrong with the two fields, before anything is verified. */
export type StatementDefect = 'missing' | 'malformed' | 'components' | 'parameters';

/** Longer fields than a signature of the profile ever has are not looked at, in characters. */
const MAX_FIELD_LENGTH = 1_024;

const COMPONENTS = '("@method" "@authority" "@path" "@query")';
const COMPONENTS_WITH_DIGEST = '("@method" "@authority" "@path" "@query" "content-digest")';

/** One member of a dictionary (RFC 8941 section 3.2): a key, an inner list, parameters; as a serializer writes them. */
const ONE_INNER_LIST =
  /^([a-z*][a-z0-9_.*-]*)=(\([^()]*\))((?:;[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^;,\s"()]+))?)*)$/;
/** 64 bytes have one text in base64: the last letter has bits that are always zero. */
const ONE_SIGNATURE = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]{85}[AQgw]==):$/;

const CREATED = '[1-9][0-9]{0,11}';
const NONCE = '[A-Za-z0-9+/=_-]{16,88}';
const KEY_ID = 'ses_[a-z2-7]{26}';

/** The forms of the values, each with its quotes. */
const FORM_OF = new Map([
  ['created', new RegExp(`^${CREATED}$`)],
  ['nonce', new RegExp(`^"${NONCE}"$`)],
  ['keyid', new RegExp(`^"${KEY_ID}"$`)],
  ['tag', new RegExp(`^"${REQUEST_TAG}"$`)],
  ['alg', /^"ed25519"$/],
]);
/** As our own agent writes them: one look instead of many. */
const USUAL_ORDER = new RegExp(
  `^;created=(${CREATED});nonce="(${NONCE})";keyid="(${KEY_ID})";tag="${REQUEST_TAG}"$`,
);
const REQUIRED = ['created', 'nonce', 'keyid', 'tag'];

/** Reads `Signature-Input` and `Signature` (RFC 9421 sections 4.1 and 4.2), in the one shape that the profile has. */
export function readSignature(headers: Headers): StatedSignature | StatementDefect {
  const input = headers.get('signature-input');
  const value = headers.get('signature');
  if (input === null && value === null) return 'missing';
  if (input === null || value === null) return 'malformed';
  if (input.length > MAX_FIELD_LENGTH || value.length > MAX_FIELD_LENGTH) return 'malformed';
  const stated = ONE_INNER_LIST.exec(input);
  const signed = ONE_SIGNATURE.exec(value);
  if (stated === null || signed === null) return 'malformed';
  const [, label, list = '', rest = ''] = stated;
  const [, signedLabel, base64 = ''] = signed;
  if (label !== signedLabel) return 'malformed';
  if (list !== COMPONENTS && list !== COMPONENTS_WITH_DIGEST) return 'components';
  const parameters = readParameters(rest);
  if (parameters === undefined) return 'parameters';
  return {
    params: `${list}${rest}`,
    coversDigest: list === COMPONENTS_WITH_DIGEST,
    ...parameters,
    signature: Buffer.from(base64, 'base64'),
  };
}

/** The parameters, each once, in any order; `undefined` when one is missing, unknown, doubled or of another form. */
function readParameters(text: string): StatedParameters | undefined {
  const [, created, nonce = '', keyId = ''] = USUAL_ORDER.exec(text) ?? [];
  return created === undefined ? readAnyOrder(text) : { created: Number(created), nonce, keyId };
}

function readAnyOrder(text: string): StatedParameters | undefined {
  const values = new Map<string, string>();
  for (const parameter of text.slice(1).split(';')) {
    const equals = parameter.indexOf('=');
    const name = parameter.slice(0, equals);
    const value = parameter.slice(equals + 1);
    if (FORM_OF.get(name)?.test(value) !== true || values.has(name)) return undefined;
    values.set(name, value);
  }
  if (!REQUIRED.every((name) => values.has(name))) return undefined;
  return {
    created: Number(values.get('created')),
    nonce: unquoted(values.get('nonce')),
    keyId: unquoted(values.get('keyid')),
  };
}

function unquoted(text = ''): string {
  return text.slice(1, -1);
}
