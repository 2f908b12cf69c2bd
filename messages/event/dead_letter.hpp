// What could not be used, kept with its bytes and the reason: in topic `dead_letters`, or, where it is a function of
// the log like everything that the stages give, in topic `rejected`.
#pragma once

#include "messages/errors.hpp"
#include "messages/field.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace finstream {

struct dead_letter {
  std::string feed;  // empty: it is no single feed's
  timestamp seen_ts; // the last time
  errc code = errc::none;
  std::string reason;            // the sentence, with the field or value at fault
  std::uint64_t line_number = 0; // of the feed process's output since its start, from 1
  std::uint64_t byte_offset = 0; // of the line's first byte in that output
  std::string bytes;             // as they came, cut at limits.dead_letter_bytes; none with `raw: off`
  std::string stage = {};        // what could not use it: "ingestor", "window", "store/postgres"
  std::string cause_topic = {};  // where in the log it lies, in the letter's own partition; empty: nowhere
  std::uint64_t cause_offset = 0;
  std::uint64_t config_hash = 0; // of the settings in force
  std::uint32_t attempts = 1;
  std::optional<timestamp> first_seen_ts = {}; // if there was an attempt before that of seen_ts

  friend bool operator==(const dead_letter&, const dead_letter&) = default;
};
template <of<dead_letter> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"feed", x.feed}, field{"seen_ts", x.seen_ts}, field{"code", x.code}, field{"reason", x.reason},
           field{"line_number", x.line_number}, field{"byte_offset", x.byte_offset}, field{"bytes", x.bytes},
           field{"stage", x.stage}, field{"cause_topic", x.cause_topic}, field{"cause_offset", x.cause_offset},
           field{"config_hash", x.config_hash}, field{"attempts", x.attempts}, field{"first_seen_ts", x.first_seen_ts});
}

} // namespace finstream
