import { z } from 'zod';
import { SERVICE_NAME, SERVICE_NAME_EXPECTED } from '../config/service-name.ts';
import { instantText } from '../lib/instant.ts';
import { API_SCOPES, hostsOf, reachesOf, scopesOf } from './audience.ts';
import { type Session, sessionEndsAt } from './model.ts';

/** Lists in a request are bounded, so that a session's row stays small. */
const MAX_HOSTS = 50;
const MAX_REACHES = 50;

const MAX_LABEL_LENGTH = 100;
const MAX_HOST_LENGTH = 261;
const MAX_DEVICE_LENGTH = 100;

const serviceName = z
  .string({ error: 'the name of a service' })
  .regex(SERVICE_NAME, { error: SERVICE_NAME_EXPECTED });

const namedReach = z
  .strictObject(
    {
      device: z
        .string({ error: 'a device' })
        .max(MAX_DEVICE_LENGTH, { error: 'a device' })
        .describe('id or handle of a device'),
      service: serviceName,
    },
    { error: 'an object of device and service' },
  )
  .meta({ id: 'NamedReach' });

const label = z
  .string({ error: 'a text' })
  .trim()
  .min(1, { error: 'a text that is not empty' })
  .max(MAX_LABEL_LENGTH, { error: `at most ${MAX_LABEL_LENGTH} characters` })
  .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, {
    error: 'a text of one line, without control characters',
  });

export const newTokenDto = z
  .strictObject(
    {
      label: label.describe('what you call it'),
      hosts: z
        .array(z.string({ error: 'a host' }).max(MAX_HOST_LENGTH, { error: 'a host' }), {
          error: 'a list of hosts',
        })
        .max(MAX_HOSTS, { error: `at most ${MAX_HOSTS}` })
        .default([])
        .describe('protected hosts it opens, each with its port unless that is the scheme’s own'),
      scopes: z
        .array(z.enum(API_SCOPES), { error: 'a list of scopes' })
        .max(API_SCOPES.length, { error: 'each scope once' })
        .default([])
        .describe('what it may do in this API'),
      reach: z
        .array(namedReach, { error: 'a list of devices and services' })
        .max(MAX_REACHES, { error: `at most ${MAX_REACHES}` })
        .default([])
        .describe('services of devices it reaches, at `/d/…`, at their hosts and with `postern connect`'),
      expires_in: z
        .int({ error: 'a whole number of seconds' })
        .min(1, { error: 'at least one second' })
        .describe('its life in seconds'),
    },
    { error: 'an object' },
  )
  .meta({ id: 'NewToken', description: 'At least one host, scope or device.' });

export const tokenDto = z
  .strictObject({
    id: z.string().describe('its session'),
    label: z.string(),
    hosts: z.array(z.string()),
    scopes: z.array(z.enum(API_SCOPES)),
    reach: z
      .array(z.strictObject({ device: z.string().describe('id of a device'), service: z.string() }))
      .describe('services of devices it reaches'),
    address: z.string().nullable().describe('where it was made from'),
    created_at: z.iso.datetime(),
    last_seen_at: z.iso.datetime().describe('its last use'),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'Token', description: 'A personal token, without its secret.' });

export const tokenListDto = z.strictObject({ tokens: z.array(tokenDto) }).meta({ id: 'TokenList' });

export const createdTokenDto = z
  .strictObject({ token: tokenDto, secret: z.string().describe('shown this once; send it as `Bearer`') })
  .meta({ id: 'CreatedToken' });

export function toTokenDto(session: Session): z.input<typeof tokenDto> {
  return {
    id: session.id,
    label: session.label ?? '',
    hosts: hostsOf(session.audience),
    scopes: scopesOf(session.audience),
    reach: reachesOf(session.audience).map(({ deviceId, service }) => ({ device: deviceId, service })),
    address: session.origin.address ?? null,
    created_at: instantText(session.createdAt),
    last_seen_at: instantText(session.lastSeenAt),
    expires_at: instantText(sessionEndsAt(session)),
  };
}
