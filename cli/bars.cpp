// finstream bars: reads the bar store, beside a running node or without one.
#include "cli/rows.hpp"
#include "cli/side_topic.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/bar_store.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace finstream {

namespace {

struct options : row_options {
  bool list = false;
};

std::string vwap_text(const bar& x, const char* none) { return x.vwap ? to_string(*x.vwap) : none; }

std::string csv_line(const bar& x) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", to_string(x.start), to_string(x.end),
                     csv_text(x.provider), csv_text(x.symbol), span_to_string(x.interval), to_string(x.open),
                     to_string(x.high), to_string(x.low), to_string(x.close), to_string(x.volume), vwap_text(x, ""),
                     x.trades, to_string(x.first_ts), to_string(x.last_ts), x.revision, to_string(x.state),
                     to_string(x.coverage), flags_to_string(x.flags));
}

std::string row_of(std::string_view start, std::string_view symbol, std::string_view provider, std::string_view open,
                   std::string_view high, std::string_view low, std::string_view close, std::string_view volume,
                   std::string_view vwap, std::string_view trades, std::string_view flags) {
  return fmt::format("{:<24} {:<12} {:<12} {:>12} {:>12} {:>12} {:>12} {:>16} {:>16} {:>7}  {}", start, symbol,
                     provider, open, high, low, close, volume, vwap, trades, flags);
}

std::string table_line(const bar& x) {
  return row_of(to_string(x.start), x.symbol, x.provider, to_string(x.open), to_string(x.high), to_string(x.low),
                to_string(x.close), to_string(x.volume), vwap_text(x, "-"), std::to_string(x.trades),
                flags_to_string(x.flags));
}

row_form<bar> form() {
  return {row_of("start", "symbol", "provider", "open", "high", "low", "close", "volume", "vwap", "trades", "flags"),
          "start,end,provider,symbol,interval,open,high,low,close,volume,vwap,trades,first_ts,last_ts,revision,"
          "state,coverage,flags",
          table_line, csv_line, append_bar_json};
}

int list_series(const bus& log) {
  fmt::print("{:<10} {:<24} {}\n", "interval", "symbol", "provider");
  auto scanned = scan_series(log, 0, "", [](const bar_series& x) {
    return fmt::print("{:<10} {:<24} {}\n", span_to_string(x.interval), x.symbol, x.provider), true;
  });
  return scanned ? 0 : report(scanned.error());
}

int show(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto query = query_of<bar_query>(o);
  if (!query) return report(query.error());
  auto log = open_rows(*config, o.from_topic);
  if (!log) return report(log.error());
  if (o.list) return list_series(**log);
  auto rows = print_rows<bar>(**log, *query, o, form(), scan_bars);
  if (!rows) return report(rows.error());
  if (*rows == 0)
    fmt::print(stderr, "finstream: no such bars of {} {} in {}; `finstream bars --list` says what there is\n",
               o.symbol.empty() ? "any symbol" : o.symbol, o.interval, config->data_directory);
  return 0;
}

} // namespace

void add_bars(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  o->interval = "1s";
  auto* verb = app.add_subcommand("bars", "Print stored bars, beside a running node or without one");
  add_row_options(*verb, *o, "bars", "start");
  verb->add_option("-i,--interval", o->interval, "Such as 1s, 5s or 60s")->capture_default_str();
  verb->add_flag("--list", o->list, "List the series there are, instead of bars");
  verb->footer(std::string{times_footer} +
               "Example:\n  finstream bars --config config/demo.yaml --symbol SYM000 --interval 5s --format csv");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
