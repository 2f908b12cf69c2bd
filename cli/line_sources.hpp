// Where the lines of a backfill come from: a feed's process, or the log of a node.
#pragma once

#include "messages/event/market_event.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <string>
#include <vector>

namespace finstream {

// Takes whole lines, about `line_chunk_bytes` at a time; what it answers ends the reading if it is an error.
using line_taker = std::function<expected<void>(std::string lines)>;
inline constexpr std::size_t line_chunk_bytes = 128u << 10;

// Starts a feed and hands on all that it prints, until it ends. Errors: start_failed, io_failure (it ended badly), and
// those of the taker: then the process is stopped.
expected<void> read_feed(const std::vector<std::string>& command, const std::string& feed, const line_taker& take);

struct log_selection {
  timestamp from = earliest;                              // src_ts at or after
  timestamp to{std::numeric_limits<std::int64_t>::max()}; // src_ts before
  std::vector<std::string> symbols;                       // empty: all
};
// The events of a log, partition by partition in their order there. Errors: those of the log and of the taker.
expected<void> read_log(const bus& log, const log_selection& what, const line_taker& take);

// An event as a feed would print it.
void append_event_line(std::string& out, const event_batch& batch, const event_row& row);

} // namespace finstream
