"""What must happen in one step in Redis: the claims of answers, their leases, their frames.

Each script runs alone, so nothing can come between its check and its writes. Keys are named by the
caller, but for the hashes of the answers a lease names: one Redis holds them all.
"""

FENCED, GAP = -1, -2

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

CLAIM = (
    _NOW
    + """
-- KEYS claim, session's answers, leases, ref?; ARGV id, ttl, most, session, task, lease ms
if KEYS[4] then
  redis.call('SET', KEYS[4], ARGV[1], 'EX', ARGV[2], 'NX')
  local known = redis.call('GET', KEYS[4])
  if known ~= ARGV[1] then return {0, known} end
end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
if token == 1 then
  redis.call('HSET', KEYS[1], 'session', ARGV[4], 'task', ARGV[5])
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('LTRIM', KEYS[2], -tonumber(ARGV[3]), -1)
  redis.call('EXPIRE', KEYS[2], ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[3], now + ARGV[6], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[2])
return {token, tonumber(redis.call('HGET', KEYS[1], 'seq') or 0) + 1}
"""
)
"""Begin or take over one answer: {token, next number}, or {0, id} of the one asked for before."""

APPEND = """
-- KEYS claim, stream, leases; ARGV token, seq, frame, most, ttl, id, last?
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local last = tonumber(redis.call('HGET', KEYS[1], 'seq') or 0)
local seq = tonumber(ARGV[2])
if seq <= last then return last end
if seq ~= last + 1 then return -2 end
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], ARGV[2] .. '-0', 'f', ARGV[3])
redis.call('HSET', KEYS[1], 'seq', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
if ARGV[7] == '1' then
  redis.call('ZREM', KEYS[3], ARGV[6])
  redis.call('HDEL', KEYS[1], 'task')
  redis.call('HSET', KEYS[1], 'ended', 1)
end
return seq
"""
"""Add one frame, if the token is the newest and the number the next one; else FENCED or GAP."""

LEASE = (
    _NOW
    + """
-- KEYS leases; ARGV lease ms (0: let go), ttl, prefix, then id and token of each
local lost = {}
for n = 4, #ARGV, 2 do
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[n])
  if redis.call('HGET', ARGV[3] .. ARGV[n] .. ':claim', 'token') ~= ARGV[n + 1] then
    lost[#lost + 1] = (n - 4) / 2
  elseif ends and ARGV[1] == '0' then
    redis.call('ZADD', KEYS[1], 0, ARGV[n])
  elseif ends and tonumber(ends) == 0 then
    lost[#lost + 1] = (n - 4) / 2
  elseif ends then
    redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[n])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return lost
"""
)
"""Renew or let go of claims that still hold; returns the places of those that don't, from 0.

What has ended stays so, and so does what was let go: a renewal may arrive late, by another
connection than the news that its pod has left."""

TAKE = (
    _NOW
    + """
-- KEYS leases; ARGV lease ms, ttl, most, prefix
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local key = ARGV[4] .. id .. ':claim'
  local held = redis.call('HMGET', key, 'session', 'task', 'seq', 'taken_at')
  if not held[1] then
    redis.call('ZREM', KEYS[1], id)
  else
    local seq = tonumber(held[3] or 0)
    local stuck = 0
    if held[4] and tonumber(held[4]) == seq then stuck = redis.call('HINCRBY', key, 'stuck', 1) end
    redis.call('HSET', key, 'taken_at', seq, 'stuck', stuck)
    local handed_over = tonumber(redis.call('ZSCORE', KEYS[1], id)) == 0 and 1 or 0
    redis.call('ZADD', KEYS[1], now + ARGV[1], id)
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    local token = redis.call('HINCRBY', key, 'token', 1)
    taken[#taken + 1] = {id, held[1], held[2] or '', token, seq + 1, handed_over, stuck}
  end
end
return taken
"""
)
"""Take over what no lease holds: {id, session, task, token, next number, let go?, stuck} each."""
