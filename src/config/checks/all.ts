import { demoStaysHere, listenersDiffer, plainHttpStaysHere, tlsNeedsHttps } from './addresses.ts';
import type { Check } from './conflict.ts';
import {
  deviceBaseOmitsDefaultPort,
  deviceBaseStandsApart,
  deviceSubjectsNameProviders,
  heartbeatsComeInTime,
  noncesOutliveSignatures,
  plainHttpBaseStaysHere,
  relayStandsApart,
} from './devices.ts';
import {
  plainHttpRulesStayHere,
  ruleSubjectsNameProviders,
  rulesDiffer,
  rulesNeedProxies,
  rulesOmitDefaultPort,
  rulesSpareOurHost,
} from './forward-auth.ts';
import {
  mcpCachesStandApart,
  mcpHasOneTransport,
  mcpIsolationProtects,
  mcpKeysFitTransport,
  mcpNamesDiffer,
  mcpProvidersAreKnown,
  mcpSubjectsNameProviders,
  mcpTokensHaveProvider,
} from './mcp.ts';
import { rolesNeedRedis } from './nodes.ts';
import {
  oauthClientsAreAnswered,
  oauthClientsDiffer,
  resourceServersDiffer,
  resourceServersNameBackends,
} from './oauth.ts';
import { oidcAsksForOpenid, oidcHasIssuer, providerNamesDiffer } from './providers.ts';
import {
  redisHasUrl,
  redisHeartbeatsComeInTime,
  redisSentinelsAreWhole,
  redisStreamsDiffer,
  redisTlsIsWhole,
  redisUserHasPassword,
} from './redis.ts';
import { secretsDiffer } from './secrets.ts';
import { idleEndsFirst } from './sessions.ts';
import { upstreamNamesDiffer, upstreamServersAreKnown } from './upstream.ts';

/** Everything that several keys decide together. */
export const allChecks: readonly Check[] = [
  plainHttpStaysHere,
  listenersDiffer,
  tlsNeedsHttps,
  demoStaysHere,
  secretsDiffer,
  idleEndsFirst,
  providerNamesDiffer,
  oidcHasIssuer,
  oidcAsksForOpenid,
  upstreamNamesDiffer,
  upstreamServersAreKnown,
  rulesNeedProxies,
  rulesSpareOurHost,
  plainHttpRulesStayHere,
  rulesOmitDefaultPort,
  ruleSubjectsNameProviders,
  rulesDiffer,
  deviceBaseStandsApart,
  plainHttpBaseStaysHere,
  deviceBaseOmitsDefaultPort,
  deviceSubjectsNameProviders,
  relayStandsApart,
  heartbeatsComeInTime,
  noncesOutliveSignatures,
  mcpCachesStandApart,
  mcpHasOneTransport,
  mcpIsolationProtects,
  mcpKeysFitTransport,
  mcpNamesDiffer,
  mcpProvidersAreKnown,
  mcpSubjectsNameProviders,
  mcpTokensHaveProvider,
  oauthClientsAreAnswered,
  oauthClientsDiffer,
  resourceServersDiffer,
  resourceServersNameBackends,
  rolesNeedRedis,
  redisHasUrl,
  redisHeartbeatsComeInTime,
  redisSentinelsAreWhole,
  redisStreamsDiffer,
  redisTlsIsWhole,
  redisUserHasPassword,
];
