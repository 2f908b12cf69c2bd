// finstream signals: reads the store of signals, beside a running node or without one.
#include "cli/rows.hpp"
#include "cli/side_topic.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/signal_store.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace finstream {

namespace {

struct options : row_options {
  std::string name;
};

std::string number_text(const std::optional<double>& x, const char* none) {
  if (!x) return none;
  std::string out;
  append_json_double(out, *x);
  return out;
}

std::string inputs_text(const signal& x, const char* between) {
  std::string out;
  for (auto& input : x.inputs) out += (out.empty() ? "" : between) + input.name + "=" + number_text(input.value, "-");
  return out;
}

std::string csv_line(const signal& x) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}", to_string(x.ts), x.signal_id, csv_text(x.provider),
                     csv_text(x.symbol), csv_text(x.name), number_text(x.value, ""), number_text(x.score, ""),
                     csv_text(x.adapter), span_to_string(x.interval), to_string(x.bar_start), x.bar_revision,
                     to_string(x.close), csv_text(inputs_text(x, ";")));
}

std::string row_of(std::string_view ts, std::string_view symbol, std::string_view provider, std::string_view name,
                   std::string_view value, std::string_view score, std::string_view close, std::string_view id,
                   std::string_view inputs) {
  return fmt::format("{:<24} {:<12} {:<12} {:<20} {:>6} {:>6} {:>12}  {:<32}  {}", ts, symbol, provider, name, value,
                     score, close, id, inputs);
}

std::string table_line(const signal& x) {
  return row_of(to_string(x.ts), x.symbol, x.provider, x.name, number_text(x.value, "-"), number_text(x.score, "-"),
                to_string(x.close), x.signal_id, inputs_text(x, "  "));
}

row_form<signal> form() {
  return {row_of("ts", "symbol", "provider", "name", "value", "score", "close", "signal_id", "inputs"),
          "ts,signal_id,provider,symbol,name,value,score,adapter,interval,bar_start,bar_revision,close,inputs",
          table_line, csv_line, append_signal_json};
}

int show(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto query = query_of<signal_query>(o);
  if (!query) return report(query.error());
  query->name = o.name;
  auto log = open_rows(*config, o.from_topic);
  if (!log) return report(log.error());
  auto rows = print_rows<signal>(**log, *query, o, form(), scan_signals);
  if (!rows) return report(rows.error());
  if (*rows == 0)
    fmt::print(stderr, "finstream: no such signals of {} in {}; they are made where the config has rules\n",
               o.symbol.empty() ? "any symbol" : o.symbol, config->data_directory);
  return 0;
}

} // namespace

void add_signals(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = app.add_subcommand("signals", "Print stored signals, beside a running node or without one");
  add_row_options(*verb, *o, "signals", "are");
  verb->add_option("-n,--name", o->name, "Signals of the rule or model of this name only");
  verb->footer(std::string{"`finstream lineage SIGNAL_ID` says what one of them was made of.\n"} + times_footer +
               "Example:\n  finstream signals --config config/demo.yaml --symbol SYM000 --from 2026-11-21");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
