#include "cli/rows.hpp"

#include <CLI/CLI.hpp>

namespace finstream {

void add_row_options(CLI::App& verb, row_options& o, const std::string& what, const std::string& when) {
  auto capital = what;
  capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
  add_config_option(verb, o.config);
  verb.add_option("-s,--symbol", o.symbol, capital + " of this symbol; without it, of every symbol");
  verb.add_option("--provider", o.provider, capital + " of this provider or source set only");
  verb.add_option("--from", o.from, capital + " that " + when + " at or after this time or day")->type_name("TIME");
  verb.add_option("--to", o.to, capital + " that " + when + " before this time or day")->type_name("TIME");
  verb.add_option("--from-topic", o.from_topic, "Instead of the node's own: those that `replay --into` wrote there")
    ->type_name("TOPIC");
  verb.add_option("--limit", o.limit, "At most this many rows; 0 = all")
    ->check(CLI::Range(std::uint64_t{0}, most_rows))
    ->capture_default_str();
  verb.add_option("-f,--format", o.format, "table, csv or json (an object a line)")
    ->check(CLI::IsMember({"table", "csv", "json"}))
    ->capture_default_str();
}

expected<void> read_time(const std::string& text, const char* option, timestamp& target) {
  if (text.empty()) return {};
  auto time = parse_timestamp_or_day(text);
  if (!time) return fail(errc::invalid_argument, std::string{option} + ": " + time.error().message);
  target = *time;
  return {};
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out{'"'};
  for (auto c : text) out += c == '"' ? std::string{"\"\""} : std::string{c};
  return out + '"';
}

void print_line(std::string_view line) { fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1)); }

} // namespace finstream
