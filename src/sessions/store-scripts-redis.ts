import { redisScript } from '../redis/script.ts';

/** Where a session is: a hash of `FIELDS`, and what the scripts below need to know of it. */
export const sessionKey = (id: string): string => `postern:session:${id}`;
/** The id of the session that a credential belongs to. */
export const credentialKey = (hash: string): string => `postern:credential:${hash}`;
/** Ids by the instant at which each is over at the latest, in the time of Redis. */
export const userKey = (id: string): string => `postern:user:${id}`;
export const childrenKey = (id: string): string => `postern:children:${id}`;
export const providerSidKey = (digest: string): string => `postern:sid:${digest}`;
/** The same of all sessions, by their next end: what they are counted and listed by. */
export const ALL_SESSIONS = 'postern:sessions';

/** What is read of a session, in this order. */
const FIELDS = ['body', 'mac', 'hash', 'seen', 'seen_mac'] as const;

/**
 * Time until a session's end is told as a length of time: the clock of Redis may be another one. What the hash says besides its
 * body (`idle`, `end`, `hash` and the indexes) only decides when keys go; who the session is good for is the body's to say.
 */
const PRELUDE = `
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local function whole(number) return string.format('%.0f', number) end
local function values(id)
  local found = redis.pcall('HMGET', 'postern:session:' .. id, ${FIELDS.map((field) => `'${field}'`).join(', ')})
  if found.err then return { id } end
  if not found[1] then return false end
  return { id, unpack(found) }
end
local function expire(key, ttl)
  if ttl < 0 then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, whole(ttl)) end
end
`;

/**
 * KEYS session, credential. ARGV id, body, mac, hash, seen, seen_mac, idle, end, time left until the next end, until the absolute
 * end (each -1: none), then the indexes that it stands in. Answers 0 where one of the two is taken.
 */
export const INSERT = redisScript(`${PRELUDE}
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
local id, left, leftInAll = ARGV[1], tonumber(ARGV[9]), tonumber(ARGV[10])
redis.call('HSET', KEYS[1], 'body', ARGV[2], 'mac', ARGV[3], 'hash', ARGV[4], 'seen', ARGV[5], 'seen_mac', ARGV[6],
  'idle', ARGV[7], 'end', ARGV[8], 'indexes', table.concat(ARGV, ' ', 11))
redis.call('SET', KEYS[2], id)
expire(KEYS[1], left)
expire(KEYS[2], left)
for each = 11, #ARGV do
  local key = ARGV[each]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(now))
  redis.call('ZADD', key, leftInAll < 0 and '+inf' or whole(now + leftInAll), id)
  local known = redis.call('PTTL', key)
  if leftInAll < 0 then redis.call('PERSIST', key)
  elseif redis.call('ZCARD', key) == 1 or (known >= 0 and known < leftInAll) then expire(key, leftInAll) end
end
redis.call('ZREMRANGEBYSCORE', '${ALL_SESSIONS}', '-inf', whole(now))
redis.call('ZADD', '${ALL_SESSIONS}', left < 0 and '+inf' or whole(now + left), id)
return 1
`);

/** KEYS credential. Answers what is read of its session, or nothing. */
export const FIND = redisScript(`${PRELUDE}
local id = redis.pcall('GET', KEYS[1])
return type(id) == 'string' and values(id)
`);

/** ARGV ids. KEYS an index, or none: what is gone is taken from it. Answers what is read of each that is there. */
export const READ = redisScript(`${PRELUDE}
local all = {}
for _, id in ipairs(ARGV) do
  local found = values(id)
  if found then all[#all + 1] = found
  elseif KEYS[1] then redis.call('ZREM', KEYS[1], id) end
end
return all
`);

/** ARGV ids. Answers these and the ids of everything below them, each once. */
export const TREE = redisScript(`
local all, seen = {}, {}
local function add(id)
  if not seen[id] then seen[id] = true; all[#all + 1] = id end
end
for _, id in ipairs(ARGV) do add(id) end
local at = 1
while all[at] do
  local below = redis.pcall('ZRANGE', 'postern:children:' .. all[at], 0, -1)
  if not below.err then for _, id in ipairs(below) do add(id) end end
  at = at + 1
end
return all
`);

/**
 * ARGV the time that the ends are told in (ours), then id, last use and its MAC of each. Moves last uses forward, and with them
 * the ends of the keys. Answers how many moved.
 */
export const TOUCH = redisScript(`${PRELUDE}
local moved = 0
for at = 2, #ARGV, 3 do
  local id, seen = ARGV[at], tonumber(ARGV[at + 1])
  local key = 'postern:session:' .. id
  local known = redis.pcall('HMGET', key, 'seen', 'idle', 'end', 'hash')
  if not known.err and known[1] and (tonumber(known[1]) or 0) < seen then
    redis.call('HSET', key, 'seen', ARGV[at + 1], 'seen_mac', ARGV[at + 2])
    moved = moved + 1
    local idle, ends = tonumber(known[2]), tonumber(known[3])
    if idle then ends = math.min(seen + idle, ends or math.huge) end
    local left = ends and ends - tonumber(ARGV[1])
    if left and left > 0 then
      expire(key, left)
      redis.call('PEXPIRE', 'postern:credential:' .. (known[4] or ''), whole(left))
      redis.call('ZADD', '${ALL_SESSIONS}', whole(now + left), id)
    end
  end
end
return moved
`);

/** ARGV ids. Takes sessions away, with their credentials and from the indexes that they stand in; answers how many there were. */
export const REMOVE = redisScript(`
local gone = 0
for _, id in ipairs(ARGV) do
  local key = 'postern:session:' .. id
  local known = redis.pcall('HMGET', key, 'hash', 'indexes')
  if not known.err then
    local credential = 'postern:credential:' .. (known[1] or '')
    local holder = redis.pcall('GET', credential)
    if holder == id then redis.call('DEL', credential) end
    for index in string.gmatch(known[2] or '', '%S+') do redis.pcall('ZREM', index, id) end
  end
  gone = gone + redis.call('DEL', key)
  redis.pcall('ZREM', '${ALL_SESSIONS}', id)
end
return gone
`);
