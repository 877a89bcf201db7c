import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import { type Device, isDeviceId } from './model.ts';
import type { SeenDevice } from './seen.ts';

const MAX_NAME_LENGTH = 100;
const MAX_FACT_LENGTH = 64;
const MAX_LABELS = 20;
const MAX_STATE = 32;

/** A text of one line, for people to read. */
const line = (length: number) =>
  z
    .string({ error: 'a text' })
    .trim()
    .min(1, { error: 'a text that is not empty' })
    .max(length, { error: `at most ${length} characters` })
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, {
      error: 'a text of one line, without control characters',
    });

const labelName = z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/, {
  error: 'names of letters, digits, ".", "_" and "-", at most 32 characters',
});
/** Commas part what a filter asks for. */
const labelValue = z
  .string({ error: 'a text' })
  .max(MAX_FACT_LENGTH, { error: `at most ${MAX_FACT_LENGTH} characters` })
  .regex(/^[^,\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u, {
    error: 'a text of one line, without commas and control characters',
  });

const bounded = <T extends z.ZodType>(value: T, most: number, what: string) =>
  z
    .record(labelName, value, { error: `a table of ${what}` })
    .refine((table) => Object.keys(table).length <= most, { error: `at most ${most} ${what}` });

export const labelsDto = bounded(labelValue, MAX_LABELS, 'labels').describe('what you sort devices by');

export const nameDto = line(MAX_NAME_LENGTH).describe('what people call it');

/** What a device says of itself when it pairs. */
export const aboutFields = {
  name: nameDto,
  serial: line(MAX_FACT_LENGTH).optional().describe('serial number; no two paired devices have the same'),
  platform: line(MAX_FACT_LENGTH).optional().describe('operating system and architecture'),
  chip: line(MAX_FACT_LENGTH).optional().describe('what it is built on'),
  labels: labelsDto.default({}),
};

export const reportDto = z
  .strictObject(
    {
      version: line(MAX_FACT_LENGTH).optional().describe('of the program on the device'),
      state: bounded(
        z.union([line(256), z.number(), z.boolean()], { error: 'a text, a number, or true or false' }),
        MAX_STATE,
        'entries',
      )
        .optional()
        .describe('whatever the device has to say'),
    },
    { error: 'an object' },
  )
  .meta({ id: 'DeviceReport', description: 'Takes the place of the report before it.' });

const HANDLE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

/** A device in a path, by id or handle: no handle looks like an id. */
export const deviceParam = z
  .string()
  .max(30)
  .refine((text) => HANDLE.test(text) || isDeviceId(text))
  .describe('id or handle of a device');

/** `?label=room=kitchen,floor`: what a device has to be labelled. */
export const labelQuery = z
  .string({ error: 'labels' })
  .max(1_000, { error: 'at most 1000 characters' })
  .transform((text) => text.split(',').map(parseWanted))
  .refine((wanted) => wanted.every(({ name }) => labelName.safeParse(name).success), {
    error: 'labels like room=kitchen,floor',
  })
  .optional()
  .describe('labels that a device has to have, `name` or `name=value`, parted by commas');

export interface WantedLabel {
  readonly name: string;
  /** `undefined`: any. */
  readonly value: string | undefined;
}

function parseWanted(text: string): WantedLabel {
  const at = text.indexOf('=');
  return at === -1
    ? { name: text, value: undefined }
    : { name: text.slice(0, at), value: text.slice(at + 1) };
}

export function hasLabels({ labels }: Pick<Device, 'labels'>, wanted: readonly WantedLabel[]): boolean {
  return wanted.every(
    ({ name, value }) => Object.hasOwn(labels, name) && (value === undefined || labels[name] === value),
  );
}

export const devicePatchDto = z
  .strictObject(
    { name: nameDto.optional(), labels: labelsDto.optional().describe('takes the place of all labels') },
    { error: 'an object with a name or labels' },
  )
  .refine((patch) => Object.keys(patch).length > 0, { error: 'a name or labels' })
  .meta({ id: 'DevicePatch' });

const reportedDto = z
  .strictObject({
    at: z.iso.datetime(),
    version: z.string().nullable(),
    state: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullable(),
  })
  .nullable()
  .describe('what the device last said of itself; null before it said anything');

const aboutAnswer = {
  id: z.string(),
  handle: z.string().describe('it stands in host names, and stays when the device is renamed'),
  name: z.string(),
  serial: z.string().nullable(),
  platform: z.string().nullable(),
  chip: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  public_key: z.string().describe('Ed25519, base64url of its 32 bytes'),
  session_id: z.string().describe('its session; what it signs names this as `keyid`'),
  paired_at: z.iso.datetime(),
  reported: reportedDto,
};

export const deviceDto = z
  .strictObject({
    ...aboutAnswer,
    user_id: z.string().describe('whose it is'),
    connected: z
      .boolean()
      .nullable()
      .describe('whether its tunnel is open; null where another node has the tunnels'),
    last_seen_at: z.iso.datetime().describe('its last request or heartbeat, as seen from here'),
  })
  .meta({ id: 'Device', description: 'A paired device.' });

export const deviceListDto = z
  .strictObject({ devices: z.array(deviceDto).describe('by name') })
  .meta({ id: 'DeviceList' });

/** What a device is told of itself. */
export const ownDeviceDto = z
  .strictObject({ ...aboutAnswer, tunnel_url: z.string().describe('where it dials to be reached') })
  .meta({ id: 'OwnDevice' });

export function toDeviceDto(device: Device, seen: SeenDevice): z.input<typeof deviceDto> {
  return {
    ...toAbout(device),
    user_id: device.userId,
    connected: seen.connected ?? null,
    last_seen_at: instantText(seen.lastSeenAt),
  };
}

export function toOwnDevice(device: Device, tunnelUrl: string): z.input<typeof ownDeviceDto> {
  return { ...toAbout(device), tunnel_url: tunnelUrl };
}

function toAbout(device: Device) {
  const { report } = device;
  return {
    id: device.id,
    handle: device.handle,
    name: device.name,
    serial: device.serial ?? null,
    platform: device.platform ?? null,
    chip: device.chip ?? null,
    labels: { ...device.labels },
    public_key: device.publicKey,
    session_id: device.sessionId,
    paired_at: instantText(device.pairedAt),
    reported:
      report === undefined
        ? null
        : {
            at: instantText(report.at),
            version: report.version ?? null,
            state: report.state === undefined ? null : { ...report.state },
          },
  };
}
