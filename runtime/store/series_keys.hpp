// INTERNAL to runtime/store: how rows of a series lie in a table of the log. A key is a lead (the interval, or
// nothing), symbol, provider, a time, and what makes it unique if that does not. Bytes sort as the values do.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/bus/bus.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace finstream::series_keys {

// Big-endian with the sign turned, so that bytes sort as numbers do.
inline std::string sortable(std::int64_t x) {
  auto u = static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63);
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(u >> (56 - 8 * i));
  return out;
}

// Ends in a zero byte; one inside becomes 1 1, and 1 becomes 1 2: no two texts share a key, and order is kept.
inline std::string text(const std::string& x) {
  std::string out;
  out.reserve(x.size() + 1);
  for (auto c : x) {
    if (static_cast<unsigned char>(c) > 1)
      out += c;
    else
      (out += '\1') += static_cast<char>(c + 1);
  }
  return out += '\0';
}

inline std::string series(std::string lead, const std::string& symbol, const std::string& provider) {
  return (lead += text(symbol)) += text(provider);
}

// The first key that does not begin with `prefix`; empty, the end of the table, if there is none.
inline std::string after(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

template <class Row> struct table {
  const char* name;
  expected<Row> (*read)(std::string_view bytes);
  timestamp Row::*time;
};

template <class Row>
expected<void> scan(const bus& log, const table<Row>& rows, const std::string& first, const std::string& last,
                    const std::function<bool(const Row&)>& visit) {
  expected<void> outcome;
  auto scanned = log.scan(rows.name, first, last, [&](std::string_view, std::string_view value) {
    if (auto row = rows.read(value))
      return visit(*row);
    else
      return outcome = tl::unexpected{row.error()}, false;
  });
  return scanned ? outcome : scanned;
}

template <class Row>
expected<std::optional<Row>> first_row(const bus& log, const table<Row>& rows, const std::string& first,
                                       const std::string& last) {
  std::optional<Row> found;
  auto scanned = scan<Row>(log, rows, first, last, [&](const Row& row) { return found = row, false; });
  if (!scanned) return tl::unexpected{scanned.error()};
  return found;
}

// Rows under `lead` of the query's symbol, provider and times, in the order of their keys.
template <class Row, class Query>
expected<void> scan_query(const bus& log, const table<Row>& rows, const std::string& lead, const Query& query,
                          const std::function<bool(const Row&)>& visit) {
  auto go_on = true;
  if (query.symbol.empty())
    return scan<Row>(log, rows, lead, after(lead), [&](const Row& row) {
      auto wanted = (query.provider.empty() || row.provider == query.provider) && row.*rows.time >= query.from &&
                    row.*rows.time < query.to;
      return !wanted || visit(row);
    });
  auto of_series = [&](const std::string& prefix) {
    return scan<Row>(log, rows, prefix + sortable(query.from.ns), prefix + sortable(query.to.ns),
                     [&](const Row& row) { return go_on = visit(row); });
  };
  if (!query.provider.empty()) return of_series(series(lead, query.symbol, query.provider));
  // Provider by provider, so that time bounds what is read and not only what is shown.
  auto of_symbol = lead + text(query.symbol);
  for (auto first = of_symbol; go_on;) {
    auto found = first_row(log, rows, first, after(of_symbol));
    if (!found) return tl::unexpected{found.error()};
    if (!*found) break;
    auto prefix = series(lead, query.symbol, (*found)->provider);
    if (auto scanned = of_series(prefix); !scanned) return scanned;
    first = after(prefix);
  }
  return {};
}

// The same where the lead is the query's interval; 0 is any, and then each interval is as a table of its own.
template <class Row, class Query>
expected<void> scan_intervals(const bus& log, const table<Row>& rows, const Query& query,
                              const std::function<bool(const Row&)>& visit) {
  if (query.interval != 0) return scan_query(log, rows, sortable(query.interval), query, visit);
  auto go_on = true;
  std::string first;
  do {
    auto found = first_row(log, rows, first, {});
    if (!found) return tl::unexpected{found.error()};
    if (!*found) break;
    auto lead = sortable((*found)->interval);
    auto scanned = scan_query<Row>(log, rows, lead, query, [&](const Row& x) { return go_on = visit(x); });
    if (!scanned) return scanned;
    first = after(lead);
  } while (go_on && !first.empty());
  return {};
}

// The query once for each series under `lead` that it is of. Rows of one series come in the order of their times.
template <class Row, class Query>
expected<std::vector<Query>> each_series(const bus& log, const table<Row>& rows, const std::string& lead,
                                         const Query& query) {
  std::vector<Query> out;
  if (!query.symbol.empty() && !query.provider.empty()) return out.push_back(query), out;
  auto all = query.symbol.empty() ? lead : lead + text(query.symbol);
  for (auto first = all;;) {
    auto found = first_row(log, rows, first, after(all));
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return out;
    auto& row = **found;
    first = after(series(lead, row.symbol, row.provider));
    if (!query.provider.empty() && row.provider != query.provider) continue;
    out.push_back(query);
    out.back().symbol = row.symbol;
    out.back().provider = row.provider;
  }
}

} // namespace finstream::series_keys
