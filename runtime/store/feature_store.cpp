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

namespace {

// Each interval that there are vectors of: under each lies a table of its own. Until `visit` returns false.
expected<void> each_interval(const bus& log, const std::function<expected<bool>(nanoseconds)>& visit) {
  for (std::string first;;) {
    auto found = series_keys::first_row(log, rows, first, {});
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return {};
    auto go_on = visit((*found)->interval);
    if (!go_on) return tl::unexpected{go_on.error()};
    first = series_keys::after(series_keys::sortable((*found)->interval));
    if (!*go_on || first.empty()) return {};
  }
}

} // namespace

expected<void> scan_features(const bus& log, const feature_query& query,
                             const std::function<bool(const feature_vector&)>& visit) {
  return scan_intervals(log, rows, query, visit);
}

expected<std::vector<feature_query>> each_series(const bus& log, const feature_query& query) {
  if (query.interval != 0) return series_keys::each_series(log, rows, series_keys::sortable(query.interval), query);
  std::vector<feature_query> out;
  auto walked = each_interval(log, [&](nanoseconds interval) -> expected<bool> {
    auto one = query;
    one.interval = interval;
    auto series = series_keys::each_series(log, rows, series_keys::sortable(interval), one);
    if (!series) return tl::unexpected{series.error()};
    out.insert(out.end(), series->begin(), series->end());
    return true;
  });
  if (!walked) return tl::unexpected{walked.error()};
  return out;
}

expected<std::optional<feature_vector>> find_features(const bus& log, const feature_query& series, timestamp start) {
  auto nothing = std::optional<feature_vector>{};
  auto value = log.get(features_table,
                       series_keys::series(series_keys::sortable(series.interval), series.symbol, series.provider) +
                         series_keys::sortable(start.ns));
  if (!value) return tl::unexpected{value.error()};
  if (!*value) return nothing;
  return feature_vector_from_msgpack(**value).map([](feature_vector x) { return std::optional{std::move(x)}; });
}

} // namespace finstream
