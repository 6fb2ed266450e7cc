-- Tells where partitions are now. Whoever is known under the same or a higher epoch stays.
--
-- KEYS 1 holders  hash: partition -> epoch:incarnation
-- ARGV 1 incarnation of the holder
--      2, 3 …     partition and epoch, alternately; both decimal, not negative
-- Returns how many were taken over.

-- Epochs are compared as text: a Lua number holds whole numbers up to 2^53 only.
local function higher(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

local taken = 0
for i = 2, #ARGV, 2 do
  local partition, epoch = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[1], partition)
  if not known or higher(epoch, string.match(known, '^%d+')) then
    redis.call('HSET', KEYS[1], partition, epoch .. ':' .. ARGV[1])
    taken = taken + 1
  end
end
return taken
