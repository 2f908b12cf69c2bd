// finstream bars: reads the bar store, beside a running node or without one.
#include "cli/commands.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/bar_store.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

struct options {
  std::string config, symbol, interval = "1s", provider, from, to, format = "table";
  std::uint64_t limit = 0;
  bool list = false;
};

std::string vwap_text(const bar& x, const char* none) { return x.vwap ? to_string(*x.vwap) : none; }

void print_csv(const bar& x) {
  fmt::print("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", to_string(x.start), to_string(x.end),
             x.provider, x.symbol, span_to_string(x.interval), to_string(x.open), to_string(x.high), to_string(x.low),
             to_string(x.close), to_string(x.volume), vwap_text(x, ""), x.trades, to_string(x.first_ts),
             to_string(x.last_ts), x.revision, to_string(x.state), to_string(x.coverage), flags_to_string(x.flags));
}

void print_row(std::string_view start, std::string_view symbol, std::string_view provider, std::string_view open,
               std::string_view high, std::string_view low, std::string_view close, std::string_view volume,
               std::string_view vwap, std::string_view trades, std::string_view flags) {
  auto row = fmt::format("{:<24} {:<12} {:<12} {:>12} {:>12} {:>12} {:>12} {:>16} {:>16} {:>7}  {}", start, symbol,
                         provider, open, high, low, close, volume, vwap, trades, flags);
  fmt::print("{}\n", row.substr(0, row.find_last_not_of(' ') + 1));
}

void print_row(const bar& x) {
  print_row(to_string(x.start), x.symbol, x.provider, to_string(x.open), to_string(x.high), to_string(x.low),
            to_string(x.close), to_string(x.volume), vwap_text(x, "-"), std::to_string(x.trades),
            flags_to_string(x.flags));
}

int list_series(const bus& log) {
  fmt::print("{:<10} {:<24} {}\n", "interval", "symbol", "provider");
  auto scanned = scan_series(log, 0, "", [](const bar_series& x) {
    return fmt::print("{:<10} {:<24} {}\n", span_to_string(x.interval), x.symbol, x.provider), true;
  });
  return scanned ? 0 : report(scanned.error());
}

expected<bar_query> read_query(const options& o) {
  bar_query query;
  query.symbol = o.symbol;
  query.provider = o.provider;
  auto interval = parse_span(o.interval);
  if (!interval) return fail(errc::invalid_argument, "--interval: " + interval.error().message);
  query.interval = *interval;
  for (auto [text, target, name] :
       {std::tuple{&o.from, &query.from, "--from: "}, std::tuple{&o.to, &query.to, "--to: "}}) {
    if (text->empty()) continue;
    auto time = parse_timestamp_or_day(*text);
    if (!time) return fail(errc::invalid_argument, name + time.error().message);
    *target = *time;
  }
  return query;
}

int show(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto query = read_query(o);
  if (!query) return report(query.error());
  auto log = open_for_reading(*config);
  if (!log) return report(log.error());
  if (o.list) return list_series(**log);
  if (o.format == "table")
    print_row("start", "symbol", "provider", "open", "high", "low", "close", "volume", "vwap", "trades", "flags");
  if (o.format == "csv")
    fmt::print("start,end,provider,symbol,interval,open,high,low,close,volume,vwap,trades,first_ts,last_ts,revision,"
               "state,coverage,flags\n");
  std::uint64_t rows = 0;
  auto scanned = scan_bars(**log, *query, [&](const bar& x) {
    if (o.limit != 0 && rows == o.limit) return false;
    ++rows;
    if (o.format == "csv") {
      print_csv(x);
    } else if (o.format == "json") {
      std::string line;
      append_bar_json(line, x, "");
      fmt::print("{}\n", line);
    } else {
      print_row(x);
    }
    return true;
  });
  if (!scanned) return report(scanned.error());
  if (rows == 0)
    fmt::print(stderr, "finstream: no such bars of {} {} in {}; `finstream bars --list` says what there is\n",
               query->symbol.empty() ? "any symbol" : query->symbol, o.interval, config->data_directory);
  return 0;
}

} // namespace

void add_bars(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("bars", "Print stored bars, beside a running node or without one");
  add_config_option(*verb, o->config);
  verb->add_option("-s,--symbol", o->symbol, "Bars of this symbol; without it, of every symbol");
  verb->add_option("-i,--interval", o->interval, "Such as 1s, 5s or 60s")->capture_default_str();
  verb->add_option("--provider", o->provider, "Bars of this provider or source set only");
  verb->add_option("--from", o->from, "Bars that start at or after this time or day")->type_name("TIME");
  verb->add_option("--to", o->to, "Bars that start before this time or day")->type_name("TIME");
  verb->add_option("--limit", o->limit, "At most this many rows; 0 = all")
    ->check(CLI::Range(std::uint64_t{0}, most_rows))
    ->capture_default_str();
  verb->add_option("-f,--format", o->format, "table, csv or json (an object a line)")
    ->check(CLI::IsMember({"table", "csv", "json"}))
    ->capture_default_str();
  verb->add_flag("--list", o->list, "List the series there are, instead of bars");
  verb->footer("Times are RFC 3339, such as 2026-11-21T13:00:00Z; a day is its midnight in UTC.\n"
               "Example:\n  finstream bars --config config/demo.yaml --symbol SYM000 --interval 5s --format csv");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
