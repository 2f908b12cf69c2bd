#include "runtime/store/feature_store.hpp"

#include "messages/codec/msgpack.hpp"
#include "runtime/store/series_keys.hpp"

namespace finstream {

namespace {

const series_keys::table<feature_vector> rows{features_table, feature_vector_from_msgpack, &feature_vector::start};

} // namespace

std::string feature_key(const feature_vector& x) {
  return series_keys::series(series_keys::sortable(x.interval), x.symbol, x.provider) +
         series_keys::sortable(x.start.ns);
}

table_write feature_write(const feature_vector& x) { return {features_table, feature_key(x), to_msgpack(x)}; }

expected<void> scan_features(const bus& log, const feature_query& query,
                             const std::function<bool(const feature_vector&)>& visit) {
  if (query.interval != 0) return scan_query(log, rows, series_keys::sortable(query.interval), query, visit);
  // Interval by interval: each is a table of its own.
  auto go_on = true;
  for (std::string first; go_on;) {
    auto found = series_keys::first_row(log, rows, first, {});
    if (!found) return tl::unexpected{found.error()};
    if (!*found) break;
    auto lead = series_keys::sortable((*found)->interval);
    auto scanned =
      scan_query<feature_vector>(log, rows, lead, query, [&](const feature_vector& x) { return go_on = visit(x); });
    if (!scanned) return scanned;
    first = series_keys::after(lead);
    if (first.empty()) break;
  }
  return {};
}

} // namespace finstream
