#include "feeds/csv/options.hpp"

#include "feeds/output/contract.hpp"
#include "feeds/output/json_text.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace finstream::feed {

namespace {

void add_columns(CLI::App& app, csv_options& options) {
  auto group = "Columns, by their names in the header line";
  auto add = [&](const char* name, column& value, const char* text) {
    return app
      .add_option_function<std::string>(
        name,
        [&value](const std::string& x) {
          value = {x, true};
        },
        text)
      ->default_str(value.name)
      ->type_name("COLUMN")
      ->group(group);
  };
  add("--src-ts", options.src_ts, "when it happened");
  add("--symbol", options.symbol, "what was traded");
  app.add_option("--symbol-name", options.symbol_name, "the symbol of every row, where there is no such column")
    ->type_name("NAME")
    ->group(group);
  add("--price", options.price, "of a trade");
  add("--size", options.size, "of a trade");
  add("--seq", options.seq,
      "whole number that tells rows of one time apart;\n"
      "without such a column the row number");
  add("--bid", options.bid, "of a quote; an empty cell: there is none");
  add("--ask", options.ask, "of a quote; an empty cell: there is none");
  add("--bid-size", options.bid_size, "of a quote, if there is such a column");
  add("--ask-size", options.ask_size, "of a quote, if there is such a column");
}

} // namespace

std::variant<csv_options, int> read_options(int argc, char** argv) {
  csv_options options;
  std::string delimiter = ",", kind = "trade", unit;
  options.provider = feed_name("csv");
  CLI::App app{
    "Prints the rows of a CSV file (.csv or .csv.gz) as JSON lines: trades, or quotes with --kind quote. Prices and\n"
    "sizes are copied as they are written, digit by digit. A row that makes no sense is named on standard error and\n"
    "left out. Started again with FINSTREAM_RESUME_TOKEN=k in its environment, it goes on after row k. It ends with\n"
    "an eof line after the last row, when its standard input closes, and on SIGTERM.\n",
    "finstream-feed-csv"};
  app.get_formatter()->column_width(30);
  auto add = [&](const char* group, const char* name, auto& value, const char* type, const char* text) {
    return app.add_option(name, value, text)->type_name(type)->group(group);
  };
  auto one_of = [](std::initializer_list<std::string> names) {
    return CLI::IsMember(std::vector<std::string>{names}).description("");
  };
  add("What", "--file", options.file, "PATH", "the file to read")->required();
  add("What", "--kind", kind, "KIND", "what a row is: trade or quote")
    ->check(one_of({"trade", "quote"}))
    ->capture_default_str();
  add("What", "--provider", options.provider, "NAME", "of the source, on every line; in a node, its name for the feed")
    ->capture_default_str();
  add("What", "--delimiter", delimiter, "CHARACTER", "between cells; \"tab\" is one")->capture_default_str();
  add_columns(app, options);
  add("When", "--time-unit", unit, "UNIT",
      "times are counts since 1970 of s, ms, us or ns;\nwithout it they are RFC 3339")
    ->check(one_of({"s", "ms", "us", "ns"}));
  add("When", "--speed", options.speed, "N",
      "times the recorded pace (1 is as recorded);\nwithout it as fast as possible")
    ->check(CLI::PositiveNumber.description(""));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : do_not_restart;
  }
  auto refuse = [](const char* why) {
    std::fprintf(stderr, "error: %s\n", why);
    return do_not_restart;
  };
  if (delimiter == "tab" || delimiter == "\\t") delimiter = "\t";
  if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r")
    return refuse("--delimiter must be one character, and not a quote or an end of line");
  options.delimiter = delimiter.front();
  options.kind = kind == "quote" ? row_kind::quote : row_kind::trade;
  if (options.provider.empty() || !is_plain(options.provider))
    return refuse("--provider must be a plain name, without quotes or backslashes");
  if (!json_text(options.symbol_name)) return refuse("--symbol-name must be UTF-8");
  if (unit == "s") options.times.unit = second;
  if (unit == "ms") options.times.unit = millisecond;
  if (unit == "us") options.times.unit = 1000;
  if (unit == "ns") options.times.unit = 1;
  auto token = resume_token("row");
  options.resumed = token.has_value();
  options.resume_after = token.value_or(0);
  return options;
}

} // namespace finstream::feed
