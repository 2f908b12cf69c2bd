// Windows that have yet to be healed, as they are kept in the log's own table: written with the events that touched
// them and deleted with what healed them, so a crash in between loses neither.
#pragma once

#include "actors/logic/backfill_bars.hpp"
#include "runtime/bus/bus.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace finstream {

inline constexpr const char* owed_table = "backfill";

struct owed_window {
  // The highest that the lane has given to it. Of a window that the live stage may come to yet, whose bar would begin
  // again from 0.
  std::optional<std::uint32_t> revision;
  bool is_looked_at = false; // since the lane began: while nothing touches it, there is nothing to do. Not stored
};
using owed_windows = std::map<window_name, owed_window>;

std::pair<std::string, std::optional<std::string>> owed_write(std::uint16_t partition, const window_name& which,
                                                              const owed_window& x);
std::pair<std::string, std::optional<std::string>> owed_delete(std::uint16_t partition, const window_name& which);
// Errors: io_failure, corrupt_record.
expected<owed_windows> load_owed(const bus& log, std::uint16_t partition);

} // namespace finstream
