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
  return scan_intervals(log, rows, query, visit);
}

} // namespace finstream
