import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  ASN1BitString,
  ASN1Boolean,
  ASN1Class,
  type ASN1Encodable,
  ASN1EncodableSequence,
  ASN1EncodableSet,
  ASN1Form,
  ASN1GeneralizedTime,
  ASN1Integer,
  ASN1ObjectIdentifier,
  ASN1OctetString,
  ASN1UTCTime,
  ASN1UTF8String,
  ASN1Value,
  encodeASN1,
  encodeObjectIdentifier,
  parseASN1NoLeftoverBytes,
} from '@oslojs/asn1';
import { parseAddress } from '../lib/ip-address.ts';
import { randomBytes } from '../lib/random.ts';
import type { TlsMaterial } from './tls-source.ts';

export interface CertificateRequest {
  /** Host names and IP addresses that it is good for. */
  names: readonly string[];
  /** Both ends, in epoch milliseconds. */
  notBefore: number;
  notAfter: number;
}

/** The subject and, because it signs itself, the issuer. */
const COMMON_NAME = 'Postern (self-signed)';

const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

/** Version 3, written as one less (RFC 5280 section 4.1.2.1). */
const VERSION_3 = 2n;
/** Tags of `GeneralName` (RFC 5280 section 4.2.1.6). */
const DNS_NAME = 2;
const IP_ADDRESS = 7;
/** 127 random bits: positive, and as unlikely to be met twice as anything (RFC 5280 section 4.1.2.2). */
const SERIAL_BYTES = 16;

/** A new P-256 key and a certificate for a TLS server that it signs itself (RFC 5280). */
export function makeSelfSigned(request: CertificateRequest): TlsMaterial {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const body = toBeSigned(request, createPublicKey(privateKey));
  const signature = sign('sha256', encodeASN1(body), privateKey);
  const certificate = sequence(body, signatureAlgorithm(), bits(signature));
  return {
    cert: pem('CERTIFICATE', encodeASN1(certificate)),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
  };
}

/** `TBSCertificate` of RFC 5280 section 4.1. */
function toBeSigned({ names, notBefore, notAfter }: CertificateRequest, publicKey: KeyObject): ASN1Encodable {
  const keyInfo = publicKey.export({ format: 'der', type: 'spki' });
  const self = sequence(new ASN1EncodableSet([sequence(oid(OID.commonName), utf8(COMMON_NAME))]));
  return sequence(
    explicit(0, new ASN1Integer(VERSION_3)),
    new ASN1Integer(newSerial()),
    signatureAlgorithm(),
    self,
    sequence(time(notBefore), time(notAfter)),
    self,
    parseASN1NoLeftoverBytes(keyInfo),
    explicit(3, extensions(names, keyInfo)),
  );
}

function extensions(names: readonly string[], keyInfo: Uint8Array): ASN1Encodable {
  const keyId = createHash('sha1').update(keyInfo).digest();
  return sequence(
    extension(OID.basicConstraints, true, sequence()),
    // The first of the bits: `digitalSignature`.
    extension(OID.keyUsage, true, new ASN1BitString(Uint8Array.of(0x80), 1)),
    extension(OID.extKeyUsage, false, sequence(oid(OID.serverAuth))),
    extension(OID.subjectAltName, false, sequence(...names.map(generalName))),
    extension(OID.subjectKeyIdentifier, false, new ASN1OctetString(keyId)),
  );
}

function extension(id: string, critical: boolean, value: ASN1Encodable): ASN1Encodable {
  const content = new ASN1OctetString(encodeASN1(value));
  // DER leaves out what is the default.
  return critical ? sequence(oid(id), new ASN1Boolean(true), content) : sequence(oid(id), content);
}

function generalName(name: string): ASN1Encodable {
  const address = parseAddress(name);
  return address === undefined
    ? contextSpecific(DNS_NAME, ASN1Form.Primitive, Buffer.from(name, 'ascii'))
    : contextSpecific(IP_ADDRESS, ASN1Form.Primitive, address);
}

/** RFC 5280 section 4.1.2.5: two digits of the year until 2049, four from 2050 on. */
function time(at: number): ASN1Encodable {
  const utc = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO('UTC');
  const { year, month, day, hour, minute, second } = utc;
  return year < 2050
    ? new ASN1UTCTime(year % 100, month, day, hour, minute, second)
    : new ASN1GeneralizedTime(year, month, day, hour, minute, second, 0);
}

function newSerial(): bigint {
  const [first = 0, ...rest] = randomBytes(SERIAL_BYTES);
  return BigInt(`0x${Buffer.from([(first & 0x7f) | 0x40, ...rest]).toString('hex')}`);
}

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

const sequence = (...elements: ASN1Encodable[]) => new ASN1EncodableSequence(elements);
const oid = (id: string) => new ASN1ObjectIdentifier(encodeObjectIdentifier(id));
const utf8 = (text: string) => new ASN1UTF8String(Buffer.from(text, 'utf8'));
const bits = (bytes: Uint8Array) => new ASN1BitString(bytes, bytes.length * 8);
const signatureAlgorithm = () => sequence(oid(OID.ecdsaWithSha256));
const explicit = (tag: number, value: ASN1Encodable) =>
  contextSpecific(tag, ASN1Form.Constructed, encodeASN1(value));
const contextSpecific = (tag: number, form: ASN1Form, content: Uint8Array) =>
  new ASN1Value(ASN1Class.ContextSpecific, form, tag, content);
