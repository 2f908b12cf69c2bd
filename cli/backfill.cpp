// finstream backfill: events of the past for a running node, from a CSV file, another node's log, or any feed.
#include "cli/lane_client.hpp"
#include "cli/line_sources.hpp"
#include "cli/rows.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <memory>

namespace finstream {

namespace {

struct options : lane_options {
  std::string csv, log, command, provider = "csv", from, to;
  std::vector<std::string> symbols, arguments;
};

expected<void> read_source(const options& o, lane_client& lane) {
  auto post = [&](const std::string& lines) { return lane.post(o.provider, lines); };
  if (!o.csv.empty()) {
    std::vector<std::string> command{feeds_directory() + "/finstream-feed-csv", "--file", o.csv, "--provider",
                                     o.provider};
    command.insert(command.end(), o.arguments.begin(), o.arguments.end());
    return read_feed(command, o.provider, post);
  }
  if (!o.command.empty()) return read_feed({"/bin/sh", "-c", "exec " + o.command}, o.provider, post);
  log_selection what;
  what.symbols = o.symbols;
  if (auto read = read_time(o.from, "--from", what.from); !read) return read;
  if (auto read = read_time(o.to, "--to", what.to); !read) return read;
  settings other;
  other.data_directory = o.log;
  auto log = open_for_reading(other);
  if (!log) return tl::unexpected{log.error()};
  return read_log(**log, what, post);
}

// A run has a start, an end, counts and an outcome: all of them are known here.
int backfill(const options& o) {
  if (static_cast<int>(!o.csv.empty()) + static_cast<int>(!o.log.empty()) + static_cast<int>(!o.command.empty()) != 1)
    return report({errc::invalid_argument, "from where? Say one of --csv FILE, --log DIRECTORY and --command COMMAND"}),
           2;
  if (o.log.empty() && !(o.from.empty() && o.to.empty() && o.symbols.empty()))
    return report({errc::invalid_argument, "--from, --to and --symbols are of --log"}), 2;
  auto lane = lane_client::connect(o);
  if (!lane) return report(lane.error());
  auto read = read_source(o, *lane);
  auto healed = lane->finish();
  fmt::print("{}\n", lane->summary());
  if (!read) return report(read.error());
  if (!healed) return report(healed.error());
  return lane->totals().trimmed == 0 ? 0 : 1;
}

} // namespace

void add_backfill(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb =
    app.add_subcommand("backfill", "Give a running node events of the past, and heal the bars they belong to");
  add_lane_options(*verb, *o);
  verb->add_option("--csv", o->csv, "A CSV file; what follows `--` goes to finstream-feed-csv")->type_name("FILE");
  verb->add_option("--log", o->log, "The data directory of another node, which may be running")->type_name("DIRECTORY");
  verb->add_option("--command", o->command, "Any feed, as a line for the shell")->type_name("COMMAND");
  verb->add_option("--provider", o->provider, "Of lines that name none; of all lines of --csv")->capture_default_str();
  verb->add_option("--from", o->from, "Of --log: events at or after this time or day")->type_name("TIME");
  verb->add_option("--to", o->to, "Of --log: events before this time or day")->type_name("TIME");
  verb->add_option("--symbols", o->symbols, "Of --log: of these symbols only, such as SPY,QQQ")->delimiter(',');
  verb->add_option("arguments", o->arguments, "After `--`: options of finstream-feed-csv");
  verb->footer("Events that the node has are duplicates: running it again adds nothing. Live data goes first.\n"
               "Exit code 1 if something could not be taken.\n"
               "Examples:\n  finstream backfill --csv spy.csv.gz --provider nyse -- --symbol-name SPY --size volume\n"
               "  finstream backfill --log other/data --from 2026-11-20 --to 2026-11-21 --symbols SPY");
  verb->callback([o, &chosen] { chosen = [o] { return backfill(*o); }; });
}

} // namespace finstream
