// INTERNAL to runtime/broker: what Redis answers, as values. docs/brokers.md says how a message looks in a stream.
#pragma once

#include "runtime/broker/broker.hpp"

#include <string_view>

struct redisReply;

namespace finstream::redis_entries {

// "17-0": a message's number is its id.
std::string id_of(message_number number);
std::string id_of(std::optional<message_number> number); // "0-0" for nothing, as Redis has it
expected<message_number> parse_id(std::string_view id);

// [id, [field, value, ...]]. Errors: incompatible.
expected<broker_message> message_of(const redisReply& entry);
expected<std::vector<broker_message>> messages_of(const redisReply& entries);
// Of XINFO STREAM.
expected<stream_ends> ends_of(const redisReply& info);

std::string_view text_of(const redisReply& reply); // empty if it is none
// The value behind a name in a flat list of names and values; nothing if the name is not there.
const redisReply* value_of(const redisReply& list, std::string_view name);
std::uint64_t number_of(const redisReply& list, std::string_view name); // 0 if it is not there

} // namespace finstream::redis_entries
