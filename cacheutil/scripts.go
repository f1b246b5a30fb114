package cacheutil

// The scripts are the only writers of the second tier. KEYS are of one slot:
// 1 the value, 2 the lease, 3 the wake key, whose change tells those that wait for
// a lease, 4 the tracked key, whose change tells every process to drop the entry.
// A script gets no more of them than it needs. The last two are set and deleted at once: what matters is that Valkey
// tells the trackers.
//
// A lease holds its token and the generation it was taken for, and a + as soon as
// someone waits for it. When memory is full, Valkey refuses SET, but not in a
// script that has written already: what must not fail begins with a DEL.
type scripts struct {
	take, store, release, discard, put, invalidate, generation, regenerate, era, depart script
}

func newScripts() scripts {
	return scripts{
		take:       newScript(takeScript),
		store:      newScript(luaKnown + storeScript),
		release:    newScript(releaseScript),
		discard:    newScript(discardScript),
		put:        newScript(luaKnown + putScript),
		invalidate: newScript(luaKnown + invalidateScript),
		generation: newScript(generationScript),
		regenerate: newScript(regenerateScript),
		era:        newScript(luaSilent + eraScript),
		depart:     newScript(departScript),
	}
}

// What take answers.
const (
	takeHit  = 1 // value, milliseconds that it is fresh
	takeMine = 2 // stale value or '', milliseconds that it may be served
	takeWait = 3 // as takeMine, milliseconds that the lease lives
)

// ARGV: token, lease in ms, generation or empty, 1 to take the lease although the
// value is fresh.
const takeScript = `
local v = redis.pcall('GET', KEYS[1])
if type(v) == 'table' then
  redis.call('DEL', KEYS[1])
  v = false
end
local old, left = '', 0
if v then
  local kind, ours = string.sub(v,17,17), false
  if ARGV[3] == '' then ours = not string.find(kind, '[tVN]')
  else ours = string.find(kind, '[VN]') and string.sub(v,42,57) == ARGV[3] end
  if ours then
    local gone = redis.call('PTTL', KEYS[1])
    left = gone - (tonumber(string.sub(v,26,33), 16) or 0)
    if left > 0 and ARGV[4] == '' then return {1, v, left} end
    if kind == 'v' or kind == 'V' then old, left = v, gone end
  end
end
local lease = redis.call('GET', KEYS[2])
if lease and string.sub(lease,17,16+#ARGV[3]) == ARGV[3] then
  if ARGV[4] == '' and string.sub(lease,-1) ~= '+' then redis.call('APPEND', KEYS[2], '+') end
  return {3, old, left, redis.call('PTTL', KEYS[2])}
end
redis.call('SET', KEYS[2], ARGV[1]..ARGV[3], 'PX', ARGV[2])
return {2, old, left}
`

// luaKnown reads the version and kind of a value; a foreign one has none.
const luaKnown = `
local function known(key)
  local v = redis.pcall('GETRANGE', key, 0, 16)
  if type(v) == 'table' or not string.find(v, '^%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x[vntVN]$') then
    return '0000000000000000', ''
  end
  return string.sub(v,1,16), string.sub(v,17,17)
end
`

// ARGV: token, data, ttl in ms. Whoever holds the lease has loaded after the last
// write that was told. So a tombstone does not keep its value out, whose own
// version may be lower: of a join, or none at all.
const storeScript = `
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease,1,16) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
local version, kind = known(KEYS[1])
local data, stored = ARGV[2], 1
if version > string.sub(data,1,16) then
  if string.lower(kind) == 'v' and string.sub(data,1,16) ~= '0000000000000000' then stored = -1
  else data = version..string.sub(data,17) end
end
if stored == 1 then redis.call('SET', KEYS[1], data, 'PX', ARGV[3]) end
if string.sub(lease,-1) == '+' then
  redis.call('SET', KEYS[3], '', 'PX', 1000)
  redis.call('DEL', KEYS[3])
end
return stored
`

// ARGV: token.
const releaseScript = `
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease,1,16) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if string.sub(lease,-1) == '+' then
  redis.call('SET', KEYS[3], '', 'PX', 1000)
  redis.call('DEL', KEYS[3])
end
return 1
`

// ARGV: the beginning of a value that could not be read.
const discardScript = `
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`

// ARGV: data, ttl in ms. An equal version behind a tombstone, or of a row that was
// found gone since, is the same write repeated after another has dropped it.
const putScript = `
local version, kind = known(KEYS[1])
local new = string.sub(ARGV[1],1,16)
local stored = 1
if version > new or (version == new and string.find(kind, '[tnN]')) then stored = 0 end
if stored == 1 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('DEL', KEYS[2])
end
redis.call('SET', KEYS[4], '', 'PX', 1000)
redis.call('DEL', KEYS[4])
return stored
`

// ARGV: version or empty, tombstone in ms. The tombstone outlives the slowest
// writer: a late one does not put an older value.
const invalidateScript = `
local version, kind = known(KEYS[1])
local new = ARGV[1]
if new == '' or (version > new and kind == 't') then new = version end
if version > new then
  redis.call('DEL', KEYS[4])
  redis.call('SET', KEYS[4], '', 'PX', 1000)
  redis.call('DEL', KEYS[4])
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SET', KEYS[1], new..'t', 'PX', ARGV[2])
redis.call('SET', KEYS[4], '', 'PX', 1000)
redis.call('DEL', KEYS[4])
return 1
`

// KEYS: 1 the group. ARGV: a new name, ttl in ms.
const generationScript = `
local name = redis.pcall('GET', KEYS[1])
if type(name) == 'string' and #name == 16 then return name end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`

// KEYS: 1 the group, 2 its tracked key. ARGV as in generationScript.
const regenerateScript = `
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], '', 'PX', 1000)
redis.call('DEL', KEYS[2])
return ARGV[1]
`

// luaSilent notes that a process is there and returns how many are so no more. What a
// hash of them holds: of each the moment at which it was heard, the clock of these moments
// (c), and Valkey's time when that was set last (t). The clock stands still while nobody is
// heard: who falls silent together with all others, because Valkey did, is not taken for
// dead. What must not fail when memory is full begins with an HDEL; that Valkey cannot
// write is no matter here.
const luaSilent = `
local function silent(key, me, patience, gap)
  local all = redis.pcall('HGETALL', key)
  if all.err or type(redis.pcall('HDEL', key, '')) == 'table' then return 0 end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local heard, clock, last, gone = {}, 0, now, 0
  for i = 1, #all, 2 do
    if all[i] == 'c' then clock = tonumber(all[i+1]) or 0
    elseif all[i] == 't' then last = tonumber(all[i+1]) or now
    else heard[all[i]] = tonumber(all[i+1]) or 0 end
  end
  clock = clock + math.max(0, math.min(now - last, gap))
  for name, at in pairs(heard) do
    if name ~= me and clock - at > patience then
      redis.call('HDEL', key, name)
      gone = gone + 1
    end
  end
  redis.call('HSET', key, 't', now, 'c', clock, me, clock)
  return gone
end
`

// KEYS: 1 the era, 2 its tracked key, 3 the processes. ARGV: a new name, the era that is
// not to go on: empty none, * any; the name of this process if it is to be noted, else
// empty; for how long one may be silent, and how much of a time in which all were counts,
// both in ms. An era belongs to one server process. One that was started again has read
// old data from its disk, and a replica that was promoted lacks the last writes: either may
// hold values whose invalidation was acknowledged, so that a new era begins; as it does
// when a process fell silent, which may not have told what it committed. The answer is the
// era's name and which process of Valkey's gave it, and how many fell silent.
const eraScript = `
local gone = 0
if ARGV[3] ~= '' then gone = silent(KEYS[3], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])) end
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local era = redis.pcall('GET', KEYS[1])
if type(era) == 'string' and #era >= 16 and string.sub(era,17) == run and ARGV[2] ~= '*' and gone == 0 then
  local name = string.sub(era,1,16)
  if name ~= ARGV[2] then return {name..run, 0} end
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1]..run)
redis.call('SET', KEYS[2], '', 'PX', 1000)
redis.call('DEL', KEYS[2])
return {ARGV[1]..run, gone}
`

// KEYS: 1 the processes. ARGV: the name of one that ends and has told everything.
const departScript = `return redis.call('HDEL', KEYS[1], ARGV[1])`
