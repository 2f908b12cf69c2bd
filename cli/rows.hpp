// What `bars`, `features` and `signals` share: they print rows of a store, as a table, CSV or JSON.
#pragma once

#include "cli/commands.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <fmt/core.h>
#include <string>

namespace finstream {

struct row_options {
  std::string config, symbol, interval, provider, from, to, from_topic, format = "table";
  std::uint64_t limit = 0;
};
// Adds all of them but the interval. `what` is the rows' name, such as "bars", and `when` what their time is.
void add_row_options(CLI::App& verb, row_options& o, const std::string& what, const std::string& when);
inline constexpr const char* times_footer =
  "Times are RFC 3339, such as 2026-11-21T13:00:00Z; a day is its midnight in UTC.\n";

expected<void> read_time(const std::string& text, const char* option, timestamp& target); // empty: it stays as it is

template <class Query> expected<Query> query_of(const row_options& o) {
  Query query;
  query.symbol = o.symbol;
  query.provider = o.provider;
  if constexpr (requires { query.interval; }) {
    auto interval = o.interval.empty() ? expected<nanoseconds>{0} : parse_span(o.interval);
    if (!interval) return fail(errc::invalid_argument, "--interval: " + interval.error().message);
    query.interval = *interval;
  }
  if (auto read = read_time(o.from, "--from", query.from); !read) return tl::unexpected{read.error()};
  if (auto read = read_time(o.to, "--to", query.to); !read) return tl::unexpected{read.error()};
  return query;
}

// A field of CSV: in quotes where it must be.
std::string csv_text(const std::string& text);
// Without the spaces at its end.
void print_line(std::string_view line);

// How rows look in each format. CSV may take several lines a row.
template <class Row> struct row_form {
  std::string table_head, csv_head;
  std::string (*table)(const Row&);
  std::string (*csv)(const Row&);
  void (*json)(std::string& out, const Row&, std::string_view position);
};

// Prints what `scan` gives of the query; the number of rows.
template <class Row, class Query, class Scan>
expected<std::uint64_t> print_rows(const bus& log, const Query& query, const row_options& o, const row_form<Row>& form,
                                   Scan scan) {
  if (o.format == "table") print_line(form.table_head);
  if (o.format == "csv") print_line(form.csv_head);
  std::uint64_t rows = 0;
  auto scanned = scan(log, query, [&](const Row& x) {
    if (o.limit != 0 && rows == o.limit) return false;
    ++rows;
    if (o.format == "csv") {
      print_line(form.csv(x));
    } else if (o.format == "json") {
      std::string line;
      form.json(line, x, "");
      fmt::print("{}\n", line);
    } else {
      print_line(form.table(x));
    }
    return true;
  });
  if (!scanned) return tl::unexpected{scanned.error()};
  return rows;
}

} // namespace finstream
