// The small language that tests of a bus are written in.
#pragma once

#include "runtime/bus/bus.hpp"
#include "tests/support/suite.hpp"

namespace finstream::test {

template <class T> T must(expected<T> x) {
  if (!x) CAF_FAIL(x.error().message);
  return std::move(*x);
}
inline void must(expected<void> x) {
  if (!x) CAF_FAIL(x.error().message);
}
template <class T> errc code_of(const expected<T>& x) { return x ? errc::none : x.error().code; }
template <class T> std::string message_of(const expected<T>& x) { return x ? std::string{} : x.error().message; }

inline timestamp at(std::int64_t seconds) { return {1'700'000'000 * second + seconds * second}; }

inline new_record record_of(topic where, std::uint16_t partition, std::uint32_t count, timestamp log_ts,
                            std::string payload) {
  return {where, partition, where == topic::bars ? record_kind::outputs : record_kind::events,
          count, log_ts,    std::move(payload)};
}
inline new_record events_record(std::uint16_t partition, std::uint32_t count, timestamp log_ts, std::string payload) {
  return record_of(topic::events, partition, count, log_ts, std::move(payload));
}
inline transaction appends(std::vector<new_record> records) { return {std::move(records), {}, {}}; }

// Its offset.
inline std::uint64_t append_one(bus& log, new_record x) {
  return must(log.write(appends({std::move(x)}))).offsets.at(0);
}

inline void put(bus& log, std::string table, std::string key, std::string value) {
  transaction tx;
  tx.writes.push_back({std::move(table), std::move(key), std::move(value)});
  must(log.write(std::move(tx)));
}

// Of a group, on partition 0 of the events.
inline errc try_commit(bus& log, const std::string& group, std::uint64_t offset) {
  transaction tx;
  tx.commits.push_back({group, topic::events, 0, offset});
  return code_of(log.write(std::move(tx)));
}
inline void commit(bus& log, const std::string& group, std::uint64_t offset) {
  CAF_REQUIRE(try_commit(log, group, offset) == errc::none);
}

inline std::string payloads(const std::vector<record>& records) {
  std::string all;
  for (const auto& x : records) all += x.payload;
  return all;
}

// The keys, each followed by a space; a value must be its key after an equals sign, or anything if it has none.
inline std::string scanned(const bus& log, std::string_view table, std::string_view first, std::string_view last) {
  std::string keys;
  must(log.scan(table, first, last, [&](std::string_view key, std::string_view value) {
    if (value.starts_with('=') && value.substr(1) != key) keys += "(wrong value)";
    keys.append(key).append(" ");
    return true;
  }));
  return keys;
}

} // namespace finstream::test
