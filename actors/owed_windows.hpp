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
  // Of one that was taken over: it was looked at when so many bars of it had been withheld. Until there are more, or
  // the lane's own events touch it, there is nothing to do. Not stored.
  std::optional<std::uint64_t> looked_at;
};
using owed_windows = std::map<window_name, owed_window>;

std::pair<std::string, std::optional<std::string>> owed_write(std::uint16_t partition, const window_name& which);
std::pair<std::string, std::optional<std::string>> owed_delete(std::uint16_t partition, const window_name& which);
// Errors: io_failure, corrupt_record.
expected<owed_windows> load_owed(const bus& log, std::uint16_t partition);

} // namespace finstream
