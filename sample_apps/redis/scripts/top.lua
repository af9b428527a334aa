-- The members of a sorted set with the highest scores, as JSON: KEYS[1] the set, ARGV[1] how many.
local found = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')
local out = {}
for i = 1, #found, 2 do
    out[#out + 1] = { name = found[i], score = tonumber(found[i + 1]) }
end
return cjson.encode(out) .. ' ' .. #cmsgpack.pack(out) .. ' ' .. bit.tohex(255, 4)
