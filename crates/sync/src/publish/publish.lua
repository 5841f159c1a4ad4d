-- Replaces one hash, unless what is there is newer.
--
-- KEYS[1]  the hash
-- ARGV     the event time as YYYY-MM-DD, the seconds until the key vanishes, then fields and values in turn
--
-- Gives 1 for written, 0 for the same as before, -1 for newer there, -2 for something there that no publish wrote.
-- The server runs a script as a whole, so nobody reads half a hash, and two writers can't pass each other.
local key, time, seconds = KEYS[1], ARGV[1], ARGV[2]
-- `unpack` takes some 8,000 values at most.
local STEP = 1000

local function day(text)
  return tonumber((string.gsub(text, '-', '')))
end

-- Whether the hash has these fields with these values, and no others but the event time.
local function same()
  if redis.call('HLEN', key) ~= (#ARGV - 2) / 2 + 1 then
    return false
  end
  for first = 3, #ARGV, 2 * STEP do
    local names = {}
    for i = first, math.min(first + 2 * STEP - 1, #ARGV), 2 do
      names[#names + 1] = ARGV[i]
    end
    local there = redis.call('HMGET', key, unpack(names))
    for i = 1, #names do
      if there[i] ~= ARGV[first + 2 * i - 1] then
        return false
      end
    end
  end
  return true
end

local kind = redis.call('TYPE', key).ok
if kind ~= 'none' then
  local there = kind == 'hash' and redis.call('HGET', key, 'as_of')
  local known = there and day(there)
  if not known then
    return -2
  elseif known > day(time) then
    return -1
  elseif known == day(time) and same() then
    redis.call('EXPIRE', key, seconds)
    return 0
  end
  redis.call('DEL', key)
end
redis.call('HSET', key, 'as_of', time)
for first = 3, #ARGV, 2 * STEP do
  redis.call('HSET', key, unpack(ARGV, first, math.min(first + 2 * STEP - 1, #ARGV)))
end
redis.call('EXPIRE', key, seconds)
return 1
