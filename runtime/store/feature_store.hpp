// Feature vectors by series, interval and time: table "features" of the log, written like "bars" in the very
// transaction that publishes them. Keys sort by interval, symbol, provider and start of the bar.
#pragma once

#include "messages/event/feature.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

inline constexpr const char* features_table = "features";

table_write feature_write(const feature_vector& x);
std::string feature_key(const feature_vector& x);

struct feature_query {
  std::string symbol{};                                   // empty: of every symbol
  nanoseconds interval = 0;                               // of the bars; 0: any
  std::string provider{};                                 // empty: of every provider
  timestamp from = earliest;                              // start at or after
  timestamp to{std::numeric_limits<std::int64_t>::max()}; // start before
};

// In order of interval, symbol, provider and start, until `visit` returns false. Errors: io_failure, corrupt_record.
expected<void> scan_features(const bus& log, const feature_query& query,
                             const std::function<bool(const feature_vector&)>& visit);
// The query once for each series that it is of, by interval, symbol and provider: vectors of each of these come in
// order of start. Errors: as above.
expected<std::vector<feature_query>> each_series(const bus& log, const feature_query& query);
// The vector at the close of this bar, as it was last published; nothing if there is none. Errors: as above.
expected<std::optional<feature_vector>> find_features(const bus& log, const feature_query& series, timestamp start);

} // namespace finstream
