package cacheutil

import "github.com/valkey-io/valkey-go"

// queueGroup is the consumer group of every queue's stream.
const queueGroup = "appliers"

// submitScript appends an entry unless the queue is full. Keys: stream, bytes.
// Arguments: most entries, most bytes, size of this entry, key, version, data,
// epoch. It returns the number of entries, or -1 if there is no room. The commands
// that a server out of memory refuses come first of the writes; the group is made
// here because that is one of them, and applying has to go on without memory.
const submitScript = `
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[1]) then return -1 end
if tonumber(redis.call('GET', KEYS[2]) or '0') + tonumber(ARGV[3]) > tonumber(ARGV[2]) then return -1 end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], '` + queueGroup + `', '0', 'MKSTREAM')
end
redis.call('XADD', KEYS[1], '*', 'key', ARGV[4], 'version', ARGV[5], 'data', ARGV[6], 'epoch', ARGV[7])
redis.call('INCRBY', KEYS[2], ARGV[3])
return length + 1`

// stateFragment defines state(): number of entries, age of the oldest in
// milliseconds, bytes, dead letters, id of the newest entry. An entry leaves the
// stream when it is applied, so the first one is the oldest that is not.
const stateFragment = `
local function state()
  local length = redis.call('XLEN', KEYS[1])
  local age, last = 0, '0-0'
  if length > 0 then
    local now = redis.call('TIME')
    local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]
    age = now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(string.match(first, '^%d+'))
    last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
  end
  return {length, age, tonumber(redis.call('GET', KEYS[2]) or '0'), redis.call('XLEN', KEYS[3]), last}
end`

// stateScript only looks. Keys: stream, bytes, dead.
const stateScript = stateFragment + `
return state()`

// fetchScript hands entries to a consumer. Keys: stream, bytes, dead. Arguments:
// group, consumer, most entries, share of them kept for new entries, idle
// milliseconds after which others' entries are taken over (-1: none are), where
// to go on looking for those, bytes of a batch.
//
// It begins with the consumer's own: entries that were not acknowledged, or that
// were delivered in an answer that was lost. It returns state(), the entries of
// both kinds, the new entries, and where to go on. The mean size keeps the answer
// within its bytes.
const fetchScript = stateFragment + `
local before = state()
local count, reserve = tonumber(ARGV[3]), tonumber(ARGV[4])
if before[1] > 0 and before[3] > 0 then
  count = math.max(1, math.min(count, math.floor(tonumber(ARGV[7]) * before[1] / before[3])))
  reserve = math.min(reserve, count)
end
local cursor, old = '0-0', {}
local function keep(entries)
  for _, entry in ipairs(entries) do old[#old + 1] = entry end
end
if tonumber(ARGV[5]) >= 0 then
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[5], ARGV[6], 'COUNT', count)
  cursor = claimed[1]
end
local own = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[1], '0')
if own then keep(own[1][2]) end
local fresh = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2],
  'COUNT', math.max(reserve, count - #old), 'STREAMS', KEYS[1], '>')
return {before, old, fresh and fresh[1][2] or {}, cursor}`

// ackScript removes applied entries. Keys: stream, bytes. Arguments: group, then
// id and size of each entry. It returns how many were still there.
const ackScript = `
local removed = 0
for i = 2, #ARGV, 2 do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    removed = removed + 1
    redis.call('DECRBY', KEYS[2], ARGV[i + 1])
  end
end
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return removed`

// buryScript moves an entry to the dead letters. Keys: stream, bytes, dead.
// Arguments: group, id, size, most letters, key, version, data, reason. The letter
// is written first: if there is no memory for it, the entry stays where it is. It
// returns 0 if another consumer was quicker.
const buryScript = `
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  return 0
end
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[4], '*',
  'key', ARGV[5], 'version', ARGV[6], 'data', ARGV[7], 'reason', ARGV[8])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('DECRBY', KEYS[2], ARGV[3])
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return 1`

// leaveScript ends a consumer. Key: stream. Arguments: group, consumer, idle
// milliseconds. Entries that it holds are left as if they had been idle that long,
// so that others take them over at once; deleting a consumer that holds some would
// lose them.
const leaveScript = `
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, ARGV[2])
for _, entry in ipairs(held) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'IDLE', ARGV[3], 'JUSTID')
end
if #held == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
return #held`

// sweepScript forgets consumers that hold nothing and were not seen for a while:
// those of processes that were killed. Key: stream. Arguments: group, idle
// milliseconds.
const sweepScript = `
local gone = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local is = {}
  for i = 1, #consumer, 2 do is[consumer[i]] = consumer[i + 1] end
  if is.pending == 0 and is.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name)
    gone = gone + 1
  end
end
return gone`

type queueScripts struct {
	submit, state, fetch, ack, bury, leave, sweep *valkey.Lua
}

func newQueueScripts() queueScripts {
	return queueScripts{
		submit: valkey.NewLuaScript(submitScript),
		state:  valkey.NewLuaScript(stateScript),
		fetch:  valkey.NewLuaScript(fetchScript),
		ack:    valkey.NewLuaScript(ackScript),
		bury:   valkey.NewLuaScript(buryScript),
		leave:  valkey.NewLuaScript(leaveScript),
		sweep:  valkey.NewLuaScript(sweepScript),
	}
}
