"""The one script that shares rate limits among processes: all limits of a beat at once, atomically, by Redis' own clock.

A limit is one key: {b = {[second] = counted}, l = {[process] = {leased, until ms}}}. What lies in buckets or is leased to anybody is
taken; the rest is room. A lease that ran out may have been used by a process that then died, so it counts as used.

KEYS: processes, then one per limit. ARGV: process, lease in ms, span in s, then per limit: kind, size, kept, held, need, least, spare
(1: more than needed may be leased), number of uses, and for each use: age in ms, amount. A negative amount takes back.
Answer: processes alive, then per limit: leased anew, fair lease, taken by all, ms until `least` may fit.
"""

SCRIPT = """
local clock = redis.call('TIME')
local second = tonumber(clock[1])
local now = second * 1000 + math.floor(tonumber(clock[2]) / 1000)
local me, lease_ms, span = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

redis.call('ZADD', KEYS[1], now, me)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - lease_ms)
redis.call('PEXPIRE', KEYS[1], lease_ms)
local processes = redis.call('ZCARD', KEYS[1])

local at = 3
local function argument()
  at = at + 1
  return tonumber(ARGV[at])
end

local function counted(buckets)
  local sum = 0
  for when, amount in pairs(buckets) do
    if when < second - span then
      buckets[when] = nil
    else
      sum = sum + amount
    end
  end
  return sum
end

-- Ages are rounded, so what is taken back may lie one bucket beside.
local function take_back(buckets, when, amount)
  for _, each in ipairs({when, when - 1, when + 1}) do
    local back = math.min(buckets[each] or 0, amount)
    if back > 0 then
      buckets[each] = buckets[each] - back
      amount = amount - back
    end
  end
end

local function note_uses(buckets, number)
  for _ = 1, number do
    local when, amount = math.floor((now - argument()) / 1000), argument()
    if amount < 0 then
      take_back(buckets, when, -amount)
    else
      buckets[when] = (buckets[when] or 0) + amount
    end
  end
end

local function leased_to_others(state, is_rate)
  local sum = 0
  for process, lease in pairs(state.l) do
    if lease[2] <= now then
      if is_rate then state.b[second] = (state.b[second] or 0) + lease[1] end
      state.l[process] = nil
    elseif process ~= me then
      sum = sum + lease[1]
    end
  end
  return sum
end

local function wait_for(buckets, missing)
  local seconds = {}
  for when in pairs(buckets) do seconds[#seconds + 1] = when end
  table.sort(seconds)
  for _, when in ipairs(seconds) do
    missing = missing - buckets[when]
    if missing <= 0 then return (when + span + 1) * 1000 - now end
  end
  return span * 1000
end

local reply = {processes}
local blobs = redis.call('MGET', unpack(KEYS, 2))
for number = 2, #KEYS do
  local blob = blobs[number - 1]
  local state = blob and cmsgpack.unpack(blob) or {b = {}, l = {}}
  local is_rate = argument() == 1
  local size, kept, held = argument(), argument(), argument()
  local need, least, spare, uses = argument(), argument(), argument(), argument()

  note_uses(state.b, uses)
  local others = leased_to_others(state, is_rate)
  local taken = counted(state.b) + others + held
  local room = math.max(0, size - taken - kept)

  local extra, wait = 0, 0
  if need > 0 and room >= least then
    extra = math.min(need, room)
  elseif room < math.max(least, 1) then
    local missing = math.max(least, 1) - room
    wait = wait_for(state.b, missing)
    if others >= missing then wait = math.min(wait, 1000) end
  end
  local fair = math.max(0, math.floor((size - taken - extra) / (2 * processes)))
  if spare == 1 then
    extra = extra + math.max(0, math.min(room - extra, fair - kept))
  end

  local leased = held + kept + extra
  state.l[me] = leased > 0 and {leased, now + lease_ms} or nil
  redis.call('SET', KEYS[number], cmsgpack.pack(state), 'PX', span * 1000 + lease_ms)
  for _, figure in ipairs({extra, fair, taken, wait}) do reply[#reply + 1] = figure end
end
return reply
"""
