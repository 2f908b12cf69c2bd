// What one may ask of the csv feed.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace finstream::feed {

enum class row_kind : std::uint8_t { trade, quote };
// How a cell says when: RFC 3339, or a count since 1970 of units of so many nanoseconds.
struct time_format {
  nanoseconds unit = 0; // 0: RFC 3339
};

// A column by its name in the header line. One that was named by the user must exist.
struct column {
  std::string name;
  bool required = true;
};

struct csv_options {
  std::string file;
  std::string provider;
  row_kind kind = row_kind::trade;
  char delimiter = ',';
  time_format times;
  std::string symbol_name; // the same for all rows, instead of a column
  column src_ts{"src_ts"}, symbol{"symbol"}, seq{"seq", false};
  column price{"price"}, size{"size"};
  column bid{"bid"}, ask{"ask"}, bid_size{"bid_size", false}, ask_size{"ask_size", false};
  double speed = 0; // 0: as fast as possible
  std::uint64_t resume_after = 0;
  bool resumed = false;
};

// Reads arguments and FINSTREAM_RESUME_TOKEN. An int is the exit code to end with at once: help was asked for, or what
// was asked makes no sense, which has been said on standard error.
std::variant<csv_options, int> read_options(int argc, char** argv);

} // namespace finstream::feed
