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
};

std::string vwap_text(const bar& x, const char* none) { return x.vwap ? to_string(*x.vwap) : none; }

void print_csv(const bar& x) {
  fmt::print("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", to_string(x.start), to_string(x.end),
             x.provider, x.symbol, span_to_string(x.interval), to_string(x.open), to_string(x.high), to_string(x.low),
             to_string(x.close), to_string(x.volume), vwap_text(x, ""), x.trades, to_string(x.first_ts),
             to_string(x.last_ts), x.revision, to_string(x.state), to_string(x.coverage), flags_to_string(x.flags));
}

void print_row(const bar& x) {
  fmt::print("{:<24} {:<14} {:>14} {:>14} {:>14} {:>14} {:>16} {:>16} {:>7}  {}\n", to_string(x.start), x.symbol,
             to_string(x.open), to_string(x.high), to_string(x.low), to_string(x.close), to_string(x.volume),
             vwap_text(x, "-"), x.trades, flags_to_string(x.flags));
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
    auto time = parse_timestamp(*text);
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
  if (o.format == "table")
    fmt::print("{:<24} {:<14} {:>14} {:>14} {:>14} {:>14} {:>16} {:>16} {:>7}  {}\n", "start", "symbol", "open", "high",
               "low", "close", "volume", "vwap", "trades", "flags");
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
    fmt::print(stderr, "finstream: no bars of {} {} in {}\n", query->symbol.empty() ? "any symbol" : query->symbol,
               o.interval, config->data_directory);
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
  verb->add_option("--from", o->from, "Bars that start at or after this RFC 3339 time")->type_name("TIME");
  verb->add_option("--to", o->to, "Bars that start before this RFC 3339 time")->type_name("TIME");
  verb->add_option("--limit", o->limit, "At most this many rows; 0 = all")->capture_default_str();
  verb->add_option("-f,--format", o->format, "table, csv or json (an object a line)")
    ->check(CLI::IsMember({"table", "csv", "json"}))
    ->capture_default_str();
  verb->footer("Example:\n  finstream bars --config config/demo.yaml --symbol SYM000 --interval 5s --format csv");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
