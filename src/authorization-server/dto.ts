import { z } from 'zod';
import { instantText } from '../lib/instant.ts';
import type { ConnectedApp, RunningChild } from './connected-apps.ts';

const childDto = z
  .strictObject({
    pid: z.int().nullable(),
    memory_bytes: z.int().nullable(),
    started_at: z.iso.datetime(),
  })
  .meta({ id: 'ConnectedAppChild', description: 'A process that runs for it.' });

export const connectedAppDto = z
  .strictObject({
    id: z.string().describe('its session'),
    client_id: z.string(),
    name: z.string().describe('what the client called itself; nobody checked it'),
    redirect_uri: z.string().nullable().describe('where it was sent back to'),
    backend: z.string().nullable().describe('null when it is not configured any more'),
    resource: z.string(),
    scope: z.string(),
    address: z.string().nullable().describe('where it fetched its tokens from'),
    created_at: z.iso.datetime(),
    last_seen_at: z.iso.datetime().describe('its last use'),
    expires_at: z.iso.datetime(),
    children: z.array(childDto).nullable().describe('null where another node runs MCP servers'),
  })
  .meta({ id: 'ConnectedApp', description: 'A program that acts for me at one MCP backend.' });

export const connectedAppListDto = z
  .strictObject({ apps: z.array(connectedAppDto) })
  .meta({ id: 'ConnectedAppList' });

export const endedAppsDto = z
  .strictObject({ ended: z.int().describe('how many there were') })
  .meta({ id: 'EndedConnectedApps' });

export function toConnectedAppDto(app: ConnectedApp): z.input<typeof connectedAppDto> {
  return {
    id: app.id,
    client_id: app.clientId,
    name: app.name,
    redirect_uri: app.redirectUri ?? null,
    backend: app.backend ?? null,
    resource: app.resource,
    scope: app.scope,
    address: app.address ?? null,
    created_at: instantText(app.createdAt),
    last_seen_at: instantText(app.lastSeenAt),
    expires_at: instantText(app.expiresAt),
    children: app.children?.map(toChildDto) ?? null,
  };
}

function toChildDto({ pid, memoryBytes, startedAt }: RunningChild): z.input<typeof childDto> {
  return { pid: pid ?? null, memory_bytes: memoryBytes ?? null, started_at: instantText(startedAt) };
}
