// finstream features: reads the store of feature vectors, beside a running node or without one.
#include "cli/rows.hpp"
#include "cli/side_topic.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/feature_store.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace finstream {

namespace {

std::string value_text(const feature_value& x, const char* none) {
  if (x.exact) return to_string(*x.exact);
  if (!x.value) return none;
  std::string out;
  append_json_double(out, *x.value);
  return out;
}

// The values there are differ from config to config, so each has a line of its own.
std::string csv_lines(const feature_vector& x) {
  std::string out;
  for (auto& v : x.values)
    out +=
      fmt::format("{}{},{},{},{},{},{},{},{},{},{},{},{}", out.empty() ? "" : "\n", to_string(x.start),
                  to_string(x.end), csv_text(x.provider), csv_text(x.symbol), span_to_string(x.interval), x.revision,
                  csv_text(v.name), value_text(v, ""), v.n, v.warm, to_string(v.window_start), v.inputs_revision);
  return out;
}

std::string row_of(std::string_view start, std::string_view symbol, std::string_view provider,
                   std::string_view interval, std::string_view close, std::string_view revision,
                   std::string_view values) {
  return fmt::format("{:<24} {:<12} {:<12} {:>8} {:>12} {:>8}  {}", start, symbol, provider, interval, close, revision,
                     values);
}

std::string table_line(const feature_vector& x) {
  std::string values;
  for (auto& v : x.values)
    values += fmt::format("{}={}{}  ", v.name, value_text(v, "-"), v.warm || !v.value ? "" : " (cold)");
  return row_of(to_string(x.start), x.symbol, x.provider, span_to_string(x.interval), to_string(x.close),
                std::to_string(x.revision), values);
}

row_form<feature_vector> form() {
  return {row_of("start", "symbol", "provider", "interval", "close", "revision", "values"),
          "start,end,provider,symbol,interval,revision,name,value,n,warm,window_start,inputs_revision", table_line,
          csv_lines, append_features_json};
}

int show(const row_options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto query = query_of<feature_query>(o);
  if (!query) return report(query.error());
  auto log = open_rows(*config, o.from_topic);
  if (!log) return report(log.error());
  auto rows = print_rows<feature_vector>(**log, *query, o, form(), scan_features);
  if (!rows) return report(rows.error());
  if (*rows == 0)
    fmt::print(stderr, "finstream: no such features of {} in {}; they are made where the config asks for features\n",
               o.symbol.empty() ? "any symbol" : o.symbol, config->data_directory);
  return 0;
}

} // namespace

void add_features(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<row_options>();
  auto* verb = app.add_subcommand("features", "Print stored features, beside a running node or without one");
  add_row_options(*verb, *o, "features", "are of bars that start");
  verb->add_option("-i,--interval", o->interval, "Of the bars they rest on, such as 1s; without it, of every interval");
  verb->footer(std::string{"In a table and in JSON a row has all features at the close of one bar; in CSV each has a "
                           "line of its own.\n"} +
               times_footer + "Example:\n  finstream features --config config/demo.yaml --symbol SYM000 --format csv");
  verb->callback([o, &chosen] { chosen = [o] { return show(*o); }; });
}

} // namespace finstream
