#include "runtime/store/bar_store.hpp"

#include "messages/codec/msgpack.hpp"

namespace finstream {

namespace {

// Big-endian with the sign turned, so that bytes sort as numbers do.
std::string sortable(std::int64_t x) {
  auto u = static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63);
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(u >> (56 - 8 * i));
  return out;
}

// Texts end in a zero byte, which none of them holds.
std::string series_prefix(nanoseconds interval, const std::string& symbol) {
  return sortable(interval) + symbol + '\0';
}

std::string after_all(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

} // namespace

std::string bar_key(const bar& x) {
  return series_prefix(x.interval, x.symbol) + x.provider + '\0' + sortable(x.start.ns);
}

table_write bar_write(const bar& x) { return {bars_table, bar_key(x), to_msgpack(x)}; }

expected<void> scan_bars(const bus& log, const bar_query& query, const std::function<bool(const bar&)>& visit) {
  // Provider by provider, so that time bounds what is read and not only what is shown.
  if (!query.symbol.empty() && query.provider.empty()) {
    expected<void> outcome;
    auto go_on = true;
    auto listed = scan_series(log, query.interval, query.symbol, [&](const bar_series& x) {
      auto one = query;
      one.provider = x.provider;
      outcome = scan_bars(log, one, [&](const bar& b) { return go_on = visit(b); });
      return go_on && outcome.has_value();
    });
    return listed ? outcome : listed;
  }
  auto first = query.symbol.empty() ? sortable(query.interval) : series_prefix(query.interval, query.symbol);
  auto last = query.symbol.empty() ? sortable(query.interval + 1) : after_all(first);
  if (!query.symbol.empty() && !query.provider.empty()) {
    auto of_provider = first + query.provider + '\0';
    first = of_provider + sortable(query.from.ns);
    last = of_provider + sortable(query.to.ns);
  }
  expected<void> outcome;
  auto scanned = log.scan(bars_table, first, last, [&](std::string_view, std::string_view value) {
    auto x = bar_from_msgpack(value);
    if (!x) return outcome = tl::unexpected{x.error()}, false;
    if (x->start < query.from || x->start >= query.to) return true;
    if (!query.provider.empty() && x->provider != query.provider) return true;
    return visit(*x);
  });
  if (!scanned) return scanned;
  return outcome;
}

expected<void> scan_series(const bus& log, nanoseconds interval, const std::string& symbol,
                           const std::function<bool(const bar_series&)>& visit) {
  std::string first, last(1, '\xff');
  if (interval != 0) {
    first = symbol.empty() ? sortable(interval) : series_prefix(interval, symbol);
    last = symbol.empty() ? sortable(interval + 1) : after_all(first);
  }
  for (;;) {
    std::optional<bar_series> found;
    expected<void> outcome;
    auto scanned = log.scan(bars_table, first, last, [&](std::string_view, std::string_view value) {
      if (auto x = bar_from_msgpack(value))
        found = bar_series{x->interval, x->symbol, x->provider};
      else
        outcome = tl::unexpected{x.error()};
      return false;
    });
    if (!scanned) return scanned;
    if (!outcome || !found || !visit(*found)) return outcome;
    first = after_all(series_prefix(found->interval, found->symbol) + found->provider + '\0');
  }
}

expected<void> scan_all_bars(const bus& log, const std::function<bool(std::string_view, std::string_view)>& visit) {
  return log.scan(bars_table, std::string{}, std::string(1, '\xff'), visit);
}

} // namespace finstream
