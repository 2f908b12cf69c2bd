// Signals by series and time, and by their id: tables "signals" and "signal_ids" of the log, both written in the very
// transaction that publishes the signal. Keys sort by symbol, provider, ts and signal_id; an id leads to that key.
#pragma once

#include "messages/event/signal.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

inline constexpr const char* signals_table = "signals";
inline constexpr const char* signal_ids_table = "signal_ids";

table_write signal_write(const signal& x);
table_write signal_id_write(const signal& x);
std::string signal_key(const signal& x);

struct signal_query {
  std::string symbol{};                                   // empty: of every symbol
  std::string provider{};                                 // empty: of every provider
  std::string name{};                                     // empty: of every name
  timestamp from = earliest;                              // ts at or after
  timestamp to{std::numeric_limits<std::int64_t>::max()}; // ts before
};

// In order of symbol, provider, ts and signal_id, until `visit` returns false. Errors: io_failure, corrupt_record.
expected<void> scan_signals(const bus& log, const signal_query& query, const std::function<bool(const signal&)>& visit);
// The query once for each series that it is of: signals of each of these come in order of ts. Errors: as above.
expected<std::vector<signal_query>> each_series(const bus& log, const signal_query& query);
// Nothing if there is no signal of this id. Errors: io_failure, corrupt_record.
expected<std::optional<signal>> find_signal(const bus& log, const std::string& signal_id);

} // namespace finstream
