// finstream dlq: the dead letters, which are what could not be used, with the reason and the bytes. Reading works
// beside a running node or without one; purging writes, so it works without one only.
#include "cli/dlq_retry.hpp"
#include "cli/rows.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/json.hpp"
#include "messages/value/excerpt.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/store/letter_store.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <limits>
#include <map>
#include <memory>
#include <tuple>

namespace finstream {

namespace {

constexpr std::size_t shown_bytes = 200; // of a letter in a list; `show` has them all

struct options {
  std::string config, code, feed, stage, since, before, id;
  std::uint64_t limit = 20;
  bool json = false, all = false, yes = false;
};

// A time, or how long ago.
expected<timestamp> read_moment(const std::string& text, const char* option) {
  if (auto span = parse_span(text)) return system_clock().now() - *span;
  timestamp out;
  if (auto read = read_time(text, option, out); !read)
    return fail(read.error().code, read.error().message + "; or a span such as 6h, for that long ago");
  return out;
}

expected<letter_query> query_of(const options& o) {
  letter_query out;
  out.feed = o.feed;
  out.stage = o.stage;
  if (!o.code.empty()) {
    auto code = parse_code(o.code);
    if (!code) return tl::unexpected{code.error()};
    out.code = *code;
  }
  if (!o.since.empty()) {
    auto from = read_moment(o.since, "--since");
    if (!from) return tl::unexpected{from.error()};
    out.from = *from;
  }
  if (!o.before.empty()) {
    auto before = read_moment(o.before, "--before");
    if (!before) return tl::unexpected{before.error()};
    out.before = *before;
  }
  return out;
}

// The log that the commands look at, and how many partitions it has.
struct opened_log {
  settings config;
  std::unique_ptr<bus> log;
  int partitions = 1;
};

expected<opened_log> open_log(const options& o, bool to_write) {
  auto config = settings_from(o.config);
  if (!config) return tl::unexpected{config.error()};
  opened_log out{std::move(*config), nullptr, 1};
  embedded_bus_options writing;
  writing.directory = out.config.data_directory;
  if (to_write) // it is not made by being looked for
    if (auto there = open_for_reading(out.config); !there) return tl::unexpected{there.error()};
  auto log = to_write ? open_embedded_bus(writing) : open_for_reading(out.config);
  if (!log && log.error().code == errc::locked)
    return fail(errc::locked,
                log.error().message +
                  ". Purging writes, so the node must be stopped first; a node that runs drops the oldest "
                  "letters by itself (limits.dead_letters), and `dlq list`, `show` and `stats` work beside "
                  "it");
  if (!log) return tl::unexpected{log.error()};
  out.log = std::move(*log);
  out.partitions = out.config.partitions;
  if (auto saved = out.log->get("node", "partitions"); saved && *saved)
    out.partitions = static_cast<int>(offset_from_text(**saved));
  return out;
}

const std::string& or_dash(const std::string& text) {
  static const std::string dash = "-";
  return text.empty() ? dash : text;
}

void print(const kept_letter& x, bool json) {
  if (json) {
    std::string line;
    append_letter_json(line, x);
    return fmt::print("{}\n", line);
  }
  auto& letter = x.what;
  print_line(fmt::format("{:<28} {:<18} {:<15} {:<14} {:<12} {}", to_string(letter.seen_ts), id_of(x),
                         to_string(letter.code), letter.stage, or_dash(letter.feed), printable(letter.reason)));
  if (!letter.bytes.empty()) fmt::print("    {}\n", printable(std::string_view{letter.bytes}.substr(0, shown_bytes)));
}

// The newest, the oldest of them first.
int list(const options& o) {
  auto query = query_of(o);
  if (!query) return report(query.error()), 2;
  auto in = open_log(o, false);
  if (!in) return report(in.error());
  auto newest = find_newest_letters(*in->log, in->partitions, *query, o.limit, std::numeric_limits<std::size_t>::max());
  if (!newest) return report(newest.error());
  for (auto& x : newest->letters) print(x, o.json);
  if (newest->letters.empty()) fmt::print(stderr, "finstream: no such dead letters in {}\n", in->config.data_directory);
  return 0;
}

int show(const options& o) {
  auto in = open_log(o, false);
  if (!in) return report(in.error());
  auto found = find_letter(*in->log, o.id);
  if (!found) return report(found.error()), found.error().code == errc::invalid_argument ? 2 : 1;
  if (o.json) return print(*found, true), 0;
  auto& x = found->what;
  auto row = [](const char* name, const std::string& value) { fmt::print("{:<12} {}\n", name, value); };
  row("id", id_of(*found));
  row("code", std::string{to_string(x.code)} + ": " + std::string{explain(x.code)});
  row("reason", printable(x.reason));
  row("stage", x.stage);
  row("feed", or_dash(x.feed));
  if (!x.cause_topic.empty())
    row("position", fmt::format("{}/{}/{} of the log", x.cause_topic, found->partition, x.cause_offset));
  else if (x.line_number != 0) // else it is of no feed, and nowhere in the log
    row("position",
        fmt::format("line {} of the feed's output since its start, at byte {}", x.line_number, x.byte_offset));
  row("config hash", x.config_hash == 0 ? "not kept" : fmt::format("{:016x}", x.config_hash));
  row("attempts", std::to_string(x.attempts));
  row("first seen", to_string(first_seen(x)));
  row("last seen", to_string(x.seen_ts));
  row("bytes",
      x.bytes.empty() ? "none are kept" : fmt::format("{}, of which what is not printable is \\xHH", x.bytes.size()));
  if (!x.bytes.empty()) fmt::print("{}\n", printable(x.bytes));
  return 0;
}

int stats(const options& o) {
  auto query = query_of(o);
  if (!query) return report(query.error()), 2;
  auto in = open_log(o, false);
  if (!in) return report(in.error());
  struct group {
    std::uint64_t count = 0, bytes = 0;
    timestamp first{std::numeric_limits<std::int64_t>::max()}, last = earliest;
  };
  std::map<std::tuple<std::string, std::string, std::string>, group> groups; // by code, stage and feed
  auto scanned = scan_letters(*in->log, in->partitions, *query, [&](const kept_letter& x) {
    auto& one = groups[{std::string{to_string(x.what.code)}, x.what.stage, x.what.feed}];
    ++one.count;
    one.bytes += x.what.bytes.size();
    one.first = std::min(one.first, first_seen(x.what));
    one.last = std::max(one.last, x.what.seen_ts);
    return true;
  });
  if (!scanned) return report(scanned.error());
  if (!o.json)
    fmt::print("{:<18} {:<16} {:<16} {:>8} {:>12} {:<28} {}\n", "code", "stage", "feed", "letters", "bytes", "first",
               "last");
  for (auto& [key, x] : groups) {
    auto& [code, stage, feed] = key;
    if (!o.json) {
      fmt::print("{:<18} {:<16} {:<16} {:>8} {:>12} {:<28} {}\n", code, stage, or_dash(feed), x.count, x.bytes,
                 to_string(x.first), to_string(x.last));
      continue;
    }
    std::string line = fmt::format(R"({{"name":"{}","stage":)", code);
    append_json_string(line, stage);
    line += ",\"feed\":";
    append_json_string(line, feed);
    fmt::print("{}\n", line + fmt::format(R"(,"letters":{},"bytes":{},"first":"{}","last":"{}"}})", x.count, x.bytes,
                                          to_string(x.first), to_string(x.last)));
  }
  return 0;
}

int purge(const options& o) {
  auto narrowed = !o.code.empty() || !o.feed.empty() || !o.stage.empty() || !o.before.empty();
  if (!narrowed && !(o.all && o.yes))
    return report({errc::invalid_argument, o.all
                                             ? "this would purge every letter: add --yes if that is meant"
                                             : "which letters? Say --code, --feed, --stage or --before; --all --yes "
                                               "purges every one"}),
           2;
  auto query = query_of(o);
  if (!query) return report(query.error()), 2;
  auto in = open_log(o, true);
  if (!in) return report(in.error());
  auto purged = purge_letters(*in->log, in->partitions, *query);
  if (!purged) return report(purged.error());
  if (auto synced = in->log->sync(); !synced) return report(synced.error());
  fmt::print("{} purged\n", counted(*purged, "dead letter"));
  return 0;
}

void add_filters(CLI::App& verb, options& o) {
  verb.add_option("--code", o.code, "Those of this code only, such as malformed_line")->type_name("NAME");
  verb.add_option("--feed", o.feed, "Those of this feed only")->type_name("NAME");
  verb
    .add_option("--stage", o.stage, "Those that this could not use: ingestor, window, features, inference, store/...")
    ->type_name("NAME");
}

} // namespace

void add_dlq(CLI::App& app, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* all = app.add_subcommand("dlq", "Dead letters: what could not be used, with the reason and the bytes");
  all->require_subcommand(1);
  auto add = [&](const char* name, const char* help, int (*run)(const options&)) {
    auto* verb = all->add_subcommand(name, help);
    add_config_option(*verb, o->config);
    verb->callback([o, run, &chosen] { chosen = [o, run] { return run(*o); }; });
    return verb;
  };
  auto add_json = [&](CLI::App& verb) { verb.add_flag("--json", o->json, "A JSON object a line"); };
  auto* list_verb = add("list", "The newest letters", list);
  add_filters(*list_verb, *o);
  list_verb->add_option("--since", o->since, "Since this time, or for so long, such as 6h")->type_name("TIME");
  list_verb->add_option("-n,--limit", o->limit, "The newest so many; 0 = all that are kept")
    ->check(CLI::Range(std::uint64_t{0}, most_rows))
    ->capture_default_str();
  add_json(*list_verb);
  list_verb->footer("Bytes that are not printable ASCII, and the backslash, are shown as \\xHH.\n"
                    "Example:\n  finstream dlq list --config config/demo.yaml --feed synthetic --since 1h");
  auto* show_verb = add("show", "One letter, all of it", show);
  show_verb->add_option("id", o->id, "As `dlq list` has it: TOPIC/PARTITION/OFFSET")->required();
  add_json(*show_verb);
  show_verb->footer("Example:\n  finstream dlq show dead_letters/0/17");
  auto* stats_verb = add("stats", "How many letters there are, by code, stage and feed", stats);
  add_filters(*stats_verb, *o);
  stats_verb->add_option("--since", o->since, "Since this time, or for so long, such as 6h")->type_name("TIME");
  add_json(*stats_verb);
  add_dlq_retry(*all, chosen);
  auto* purge_verb = add("purge", "Drop letters for good; the node must be stopped", purge);
  add_filters(*purge_verb, *o);
  purge_verb->add_option("--before", o->before, "Those of before this time, or older than so long, such as 7d")
    ->type_name("TIME");
  purge_verb->add_flag("--all", o->all, "Every one");
  purge_verb->add_flag("--yes", o->yes, "With --all: that is meant");
  purge_verb->footer("Without --all, only letters that all the filters name.\n"
                     "Example:\n  finstream dlq purge --code malformed_line --before 7d");
}

} // namespace finstream
