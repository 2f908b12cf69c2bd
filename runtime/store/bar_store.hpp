// Bars by series, interval and time: table "bars" of the log, so that a bar is stored in the very transaction that
// publishes it. Keys sort by interval, symbol, provider and start.
#pragma once

#include "messages/event/bar.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

inline constexpr const char* bars_table = "bars";

table_write bar_write(const bar& x);
std::string bar_key(const bar& x);

struct bar_query {
  std::string symbol{};                                   // empty: of every symbol
  nanoseconds interval = 0;                               // 0: any
  std::string provider{};                                 // empty: of every provider
  timestamp from = earliest;                              // start at or after
  timestamp to{std::numeric_limits<std::int64_t>::max()}; // start before
};

// Bars in order of interval, symbol, provider and start, until `visit` returns false. Errors: io_failure,
// corrupt_record.
expected<void> scan_bars(const bus& log, const bar_query& query, const std::function<bool(const bar&)>& visit);
// The query once for each series that it is of: bars of each of these come in order of start. Errors: as above.
expected<std::vector<bar_query>> each_series(const bus& log, const bar_query& query);
// Each series of bars that is stored, in order of interval, symbol and provider, until `visit` returns false. An
// interval of 0 is any; so is an empty symbol, which is looked at only where the interval is given. Steps from series
// to series, however many bars each has. Errors: io_failure, corrupt_record.
struct bar_series {
  nanoseconds interval = 0;
  std::string symbol, provider;
};
expected<void> scan_series(const bus& log, nanoseconds interval, const std::string& symbol,
                           const std::function<bool(const bar_series&)>& visit);
// Every bar there is, by key.
expected<void> scan_all_bars(const bus& log,
                             const std::function<bool(std::string_view key, std::string_view value)>& visit);

} // namespace finstream
