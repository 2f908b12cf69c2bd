#include "runtime/store/bar_store.hpp"

#include "messages/codec/msgpack.hpp"
#include "runtime/store/series_keys.hpp"

namespace finstream {

namespace {

const series_keys::table<bar> rows{bars_table, bar_from_msgpack, &bar::start};

} // namespace

std::string bar_key(const bar& x) {
  return series_keys::series(series_keys::sortable(x.interval), x.symbol, x.provider) +
         series_keys::sortable(x.start.ns);
}

table_write bar_write(const bar& x) { return {bars_table, bar_key(x), to_msgpack(x)}; }

expected<void> scan_bars(const bus& log, const bar_query& query, const std::function<bool(const bar&)>& visit) {
  return scan_intervals(log, rows, query, visit);
}

expected<std::vector<bar_query>> each_series(const bus& log, const bar_query& query) {
  return series_keys::each_series(log, rows, series_keys::sortable(query.interval), query);
}

expected<void> scan_series(const bus& log, nanoseconds interval, const std::string& symbol,
                           const std::function<bool(const bar_series&)>& visit) {
  std::string first, last(1, '\xff');
  if (interval != 0) {
    first = series_keys::sortable(interval);
    if (!symbol.empty()) first += series_keys::text(symbol);
    last = series_keys::after(first);
  }
  for (;;) {
    auto found = series_keys::first_row(log, rows, first, last);
    if (!found) return tl::unexpected{found.error()};
    if (!*found || !visit({(*found)->interval, (*found)->symbol, (*found)->provider})) return {};
    auto& x = **found;
    first = series_keys::after(series_keys::series(series_keys::sortable(x.interval), x.symbol, x.provider));
  }
}

expected<void> scan_all_bars(const bus& log, const std::function<bool(std::string_view, std::string_view)>& visit) {
  return log.scan(bars_table, std::string{}, std::string(1, '\xff'), visit);
}

} // namespace finstream
