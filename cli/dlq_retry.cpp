#include "cli/dlq_retry.hpp"

#include "cli/lane_client.hpp"
#include "cli/line_sources.hpp"

#include "actors/log_entries.hpp"
#include "runtime/store/letter_store.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <map>
#include <memory>

namespace finstream {

namespace {

struct options : lane_options {
  std::string feed, code;
};

// Lines of each feed, posted when there are enough.
class retried_lines {
public:
  explicit retried_lines(lane_client& lane) : lane_{lane} {}

  expected<void> add(const std::string& feed, std::string_view line) {
    auto& lines = by_feed_[feed];
    lines += line;
    if (!line.ends_with('\n')) lines += '\n';
    return lines.size() < line_chunk_bytes ? expected<void>{} : lane_.post(feed, std::exchange(lines, {}));
  }
  expected<void> flush() {
    for (auto& [feed, lines] : by_feed_)
      if (auto posted = lane_.post(feed, lines); !posted) return posted;
    return {};
  }
  std::uint64_t cut = 0;

private:
  lane_client& lane_;
  std::map<std::string, std::string> by_feed_;
};

// A line as it came; of an event that came too late, the event, which is in the log. What was set aside is neither.
expected<void> retry(const bus& log, std::size_t most_bytes, const kept_letter& letter, retried_lines& out) {
  if (letter.where == topic::dead_letters) {
    if (letter.what.stage != "ingestor") return {};
    if (letter.what.bytes.empty() || letter.what.bytes.size() >= most_bytes) return ++out.cut, expected<void>{};
    return out.add(letter.what.feed, letter.what.bytes);
  }
  auto range = log.range(topic::events, letter.partition);
  if (!range) return tl::unexpected{range.error()};
  if (letter.what.cause_offset < range->head) return ++out.cut, expected<void>{};
  auto records = log.read(topic::events, letter.partition, letter.what.cause_offset, 1);
  if (!records) return tl::unexpected{records.error()};
  if (records->empty()) return {};
  auto entry = to_log_entry(std::move(records->front()));
  if (!entry) return tl::unexpected{entry.error()};
  auto row = letter.what.cause_offset - (*entry)->offset;
  if (!(*entry)->events || row >= (*entry)->events->rows.size()) return {};
  std::string line;
  append_event_line(line, *(*entry)->events, (*entry)->events->rows[row]);
  return out.add((*entry)->events->feed, line);
}

expected<void> retry_all(const bus& log, const settings& config, const options& o, retried_lines& out) {
  letter_query query;
  query.feed = o.feed;
  if (!o.code.empty()) {
    auto code = parse_code(o.code);
    if (!code) return tl::unexpected{code.error()};
    query.code = *code;
  }
  expected<void> outcome;
  auto scanned = scan_letters(log, config.partitions, query, [&](const kept_letter& letter) {
    outcome = retry(log, config.limits.dead_letter_bytes, letter, out);
    return outcome.has_value();
  });
  if (!scanned || !outcome) return scanned ? outcome : scanned;
  return out.flush();
}

int run(const options& o) {
  auto config = settings_from(o.config);
  if (!config) return report(config.error());
  auto log = open_for_reading(*config); // as it is now
  if (!log) return report(log.error());
  auto lane = lane_client::connect(o);
  if (!lane) return report(lane.error());
  lane->retry();
  retried_lines lines{*lane};
  auto sent = retry_all(**log, *config, o, lines);
  auto healed = lane->finish();
  fmt::print("{}\n", lane->summary());
  if (lines.cut != 0)
    fmt::print(stderr, "finstream: {} are not kept whole, or no longer in the log: left as they are\n",
               counted(lines.cut, "letter"));
  if (!sent) return report(sent.error());
  return healed ? 0 : report(healed.error());
}

} // namespace

void add_dlq_retry(CLI::App& dlq, chosen_command& chosen) {
  auto o = std::make_shared<options>();
  auto* verb = dlq.add_subcommand("retry", "Send dead letters again, through the backfill lane of a running node");
  add_lane_options(*verb, *o);
  verb->add_option("--feed", o->feed, "Those of this feed only")->type_name("NAME");
  verb->add_option("--code", o->code, "Those of this reason only, such as future or late")->type_name("NAME");
  verb->footer("What was taken stays among the dead letters too; sent again it is a duplicate. What is bad again is\n"
               "counted, and stays as it is.\nExample:\n  finstream dlq retry --code future --dry-run");
  verb->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

} // namespace finstream
