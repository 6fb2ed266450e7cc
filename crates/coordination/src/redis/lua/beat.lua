-- Enters a node as living, forgets those that were silent for too long, answers the living.
--
-- KEYS 1 seen     sorted set: incarnation -> time of its last beat, in ms by this server's clock
--      2 members  hash: incarnation -> what the node says of itself, opaque here
--      3 memory   string: name of this server's memory; a new name means that everything else was lost too
-- ARGV 1 incarnation
--      2 what the node says of itself
--      3 how long a silent node is taken for living, in ms
-- Returns the name of the memory, and what each living node says of itself, in no order.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', KEYS[3], time[1] .. '.' .. time[2] .. '.' .. ARGV[1], 'NX')

for _, silent in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[3]))) do
  redis.call('ZREM', KEYS[1], silent)
  redis.call('HDEL', KEYS[2], silent)
end

redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])

return { redis.call('GET', KEYS[3]), redis.call('HVALS', KEYS[2]) }
