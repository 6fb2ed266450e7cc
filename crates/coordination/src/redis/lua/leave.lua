-- Takes a node off the list of the living. Who held what stays known.
--
-- KEYS 1 seen     sorted set: incarnation -> time of its last beat
--      2 members  hash: incarnation -> what the node says of itself
-- ARGV 1 incarnation
-- Returns 1 when it was there, 0 when not.

redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
