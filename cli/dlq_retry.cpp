#include "cli/dlq_retry.hpp"

#include "cli/lane_client.hpp"
#include "cli/line_sources.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/msgpack.hpp"

#include <CLI/CLI.hpp>

#include <fmt/core.h>
#include <map>
#include <memory>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr std::size_t most_letter_bytes = 4 * 1024; // a letter's bytes are cut there: such a line is not whole

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

// A line as it came; of an event that came too late, the event, which is in the log.
expected<void> retry(const bus& log, std::uint16_t partition, topic where, const dead_letter& letter,
                     retried_lines& out) {
  if (where == topic::dead_letters) {
    if (letter.bytes.size() >= most_letter_bytes) return ++out.cut, expected<void>{};
    return out.add(letter.feed, letter.bytes);
  }
  auto range = log.range(topic::events, partition);
  if (!range) return tl::unexpected{range.error()};
  if (letter.byte_offset < range->head) return ++out.cut, expected<void>{};
  auto records = log.read(topic::events, partition, letter.byte_offset, 1);
  if (!records) return tl::unexpected{records.error()};
  if (records->empty()) return {};
  auto entry = to_log_entry(std::move(records->front()));
  if (!entry) return tl::unexpected{entry.error()};
  auto row = letter.byte_offset - (*entry)->offset;
  if (!(*entry)->events || row >= (*entry)->events->rows.size()) return {};
  std::string line;
  append_event_line(line, *(*entry)->events, (*entry)->events->rows[row]);
  return out.add((*entry)->events->feed, line);
}

expected<void> retry_all(const bus& log, const settings& config, const options& o, retried_lines& out) {
  for (int p = 0; p < config.partitions; ++p)
    for (auto where : {topic::dead_letters, topic::rejected}) {
      auto partition = static_cast<std::uint16_t>(p);
      auto range = log.range(where, partition);
      if (!range) return tl::unexpected{range.error()};
      for (auto offset = range->head; offset < range->next;) {
        auto records = log.read(where, partition, offset, read_bytes);
        if (!records) return tl::unexpected{records.error()};
        if (records->empty()) break;
        for (auto& r : *records) {
          offset = r.next();
          auto letter = dead_letter_from_msgpack(r.payload);
          if (!letter) return tl::unexpected{letter.error()};
          auto wanted =
            (o.feed.empty() || letter->feed == o.feed) && (o.code.empty() || to_string(letter->code) == o.code);
          if (!wanted) continue;
          if (auto done = retry(log, partition, where, *letter, out); !done) return done;
        }
      }
    }
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
