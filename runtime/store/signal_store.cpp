#include "runtime/store/signal_store.hpp"

#include "messages/codec/msgpack.hpp"
#include "runtime/store/series_keys.hpp"

namespace finstream {

namespace {

const series_keys::table<signal> rows{signals_table, signal_from_msgpack, &signal::ts};

} // namespace

std::string signal_key(const signal& x) {
  return series_keys::series({}, x.symbol, x.provider) + series_keys::sortable(x.ts.ns) + x.signal_id;
}

table_write signal_write(const signal& x) { return {signals_table, signal_key(x), to_msgpack(x)}; }
table_write signal_id_write(const signal& x) { return {signal_ids_table, x.signal_id, signal_key(x)}; }

expected<void> scan_signals(const bus& log, const signal_query& query,
                            const std::function<bool(const signal&)>& visit) {
  return scan_query<signal>(log, rows, {}, query,
                            [&](const signal& x) { return (!query.name.empty() && x.name != query.name) || visit(x); });
}

expected<std::vector<signal_query>> each_series(const bus& log, const signal_query& query) {
  return series_keys::each_series(log, rows, {}, query);
}

expected<std::optional<signal>> find_signal(const bus& log, const std::string& signal_id) {
  auto nothing = std::optional<signal>{};
  auto key = log.get(signal_ids_table, signal_id);
  if (!key) return tl::unexpected{key.error()};
  if (!*key) return nothing;
  auto value = log.get(signals_table, **key);
  if (!value) return tl::unexpected{value.error()};
  if (!*value) return fail(errc::corrupt_record, "signal " + signal_id + " is in table signal_ids, not in signals");
  return signal_from_msgpack(**value).map([](signal x) { return std::optional{std::move(x)}; });
}

} // namespace finstream
