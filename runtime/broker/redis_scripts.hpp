// INTERNAL to runtime/broker: what must happen in Redis at one stroke, in the language that it runs.
#pragma once

namespace finstream::redis_scripts {

// KEYS: the stream. Answers the id that it ends with, without the bodies that Redis would send along.
inline constexpr const char* last_id = R"(
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then return info end
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then return info[i + 1] end
end
)";

// KEYS: the stream. ARGV: group, consumer, ids. Those that another consumer has by now stay with it.
inline constexpr const char* keep = R"(
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  end
end
return ''
)";

// KEYS: the stream. ARGV: group, ms. Answers how many consumers are forgotten. To forget one that has something pending
// would forget that too, so nothing may come between looking and forgetting.
inline constexpr const char* forget = R"(
local forgotten = 0
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #fields, 2 do consumer[fields[i]] = fields[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    forgotten = forgotten + 1
  end
end
return forgotten
)";

} // namespace finstream::redis_scripts
