// What every driver refuses, and the sentences it says so in. Private to this folder.
#pragma once

#include "runtime/bus/bus.hpp"

#include <utility>

namespace finstream {

// "events/0"
std::string place(topic where, std::uint16_t partition);
std::optional<topic> parse_topic(std::string_view name);
// "events/0" back into its parts.
std::optional<std::pair<topic, std::uint16_t>> parse_place(std::string_view name);

// What a transaction gives to the log; the entries of a buffer are the same once more, and do not count.
struct given {
  std::uint64_t records = 0, bytes = 0; // of payloads
};
given given_by(const transaction& tx);

// What can be seen of a transaction without looking at the log. Errors: invalid_argument.
expected<void> check_shape(const transaction& tx);
expected<void> check_order(const new_record& next, timestamp previous);
expected<void> check_commit(const group_commit& commit, log_range range);
// Whether `offset` can be read from. Errors: trimmed, invalid_argument.
expected<void> check_start(topic where, std::uint16_t partition, std::uint64_t offset, log_range range);

tl::unexpected<failure> corrupt_at(topic where, std::uint16_t partition, std::uint64_t offset, std::string_view reason);

} // namespace finstream
