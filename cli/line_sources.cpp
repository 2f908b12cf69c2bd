#include "cli/line_sources.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/json.hpp"
#include "runtime/process/child.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <fmt/core.h>
#include <mutex>
#include <optional>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr nanoseconds stop_grace = 2 * second;

// What the child's thread finds, for the thread that posts it.
struct feed_output {
  std::mutex mutex;
  std::condition_variable news;
  std::deque<std::string> chunks;
  std::uint64_t long_lines = 0;
  std::optional<child_exit> end;

  template <class Change> void tell(Change change) {
    {
      std::lock_guard lock{mutex};
      change();
    }
    news.notify_one();
  }
};

} // namespace

expected<void> read_feed(const std::vector<std::string>& command, const std::string& feed, const line_taker& take) {
  auto output = std::make_shared<feed_output>();
  child_options options;
  options.command = command;
  options.environment = {{"FINSTREAM_FEED_NAME", feed}};
  options.chunk_bytes = line_chunk_bytes;
  child_events events;
  events.on_lines = [output](std::string lines) { output->tell([&] { output->chunks.push_back(std::move(lines)); }); };
  events.on_long_line = [output](const std::string&, std::uint64_t) {
    output->tell([&] { ++output->long_lines, output->chunks.emplace_back(); });
  };
  events.on_error_line = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  events.on_exit = [output](child_exit end) { output->tell([&] { output->end = end; }); };
  auto process = start_child(options, std::move(events));
  if (!process) return tl::unexpected{process.error()};
  for (;;) {
    std::unique_lock lock{output->mutex};
    output->news.wait(lock, [&] { return !output->chunks.empty() || output->end; });
    if (output->chunks.empty()) break;
    auto chunk = std::move(output->chunks.front());
    output->chunks.pop_front();
    lock.unlock();
    if (!chunk.empty())
      if (auto taken = take(std::move(chunk)); !taken) return (*process)->stop(stop_grace), taken;
    (*process)->grant();
  }
  if (output->long_lines != 0) fmt::print(stderr, "finstream: {} lines were too long\n", output->long_lines);
  if (output->end->code != 0 || output->end->signal != 0)
    return fail(errc::io_failure, command.front() + ": " + output->end->describe());
  return {};
}

void append_event_line(std::string& out, const event_batch& batch, const event_row& row) {
  static constexpr const char* names[3][5] = {{"price", "size", nullptr, nullptr, nullptr},
                                              {"o", "h", "l", "c", "v"},
                                              {"bid", "ask", "bid_size", "ask_size", nullptr}};
  auto& key = (*batch.keys)[row.key];
  out += R"({"provider":)";
  append_json_string(out, key.provider);
  out += R"(,"symbol":)";
  append_json_string(out, key.symbol);
  if (row.interval != 0) {
    out += R"(,"interval":)";
    append_json_string(out, batch.intervals[row.interval]);
  }
  out += R"(,"src_ts":)";
  append_json_timestamp(out, row.src_ts);
  out += R"(,"seq":)";
  append_json_integer(out, row.seq);
  auto& mine = names[static_cast<int>(row.kind)];
  for (std::size_t i = 0; i < row.values.size() && mine[i] != nullptr; ++i) {
    out += fmt::format(R"(,"{}":)", mine[i]);
    append_json_decimal(out, decimal{row.values[i]});
  }
  out += "}\n";
}

expected<void> read_log(const bus& log, const log_selection& what, const line_taker& take) {
  auto saved = log.get("node", "partitions");
  if (!saved) return tl::unexpected{saved.error()};
  if (!*saved) return fail(errc::not_found, "this is not the data directory of a node: its partitions are not known");
  std::string lines;
  auto wanted = [&](const event_batch& batch, const event_row& row) {
    auto& symbol = (*batch.keys)[row.key].symbol;
    auto named =
      what.symbols.empty() || std::find(what.symbols.begin(), what.symbols.end(), symbol) != what.symbols.end();
    return named && row.src_ts >= what.from && row.src_ts < what.to;
  };
  for (std::uint64_t p = 0; p < offset_from_text(**saved); ++p) {
    auto partition = static_cast<std::uint16_t>(p);
    auto range = log.range(topic::events, partition);
    if (!range) return tl::unexpected{range.error()};
    for (auto offset = range->head; offset < range->next;) {
      auto records = log.read(topic::events, partition, offset, read_bytes);
      if (!records) return tl::unexpected{records.error()};
      if (records->empty()) break;
      for (auto& r : *records) {
        offset = r.next();
        auto entry = to_log_entry(std::move(r));
        if (!entry) return tl::unexpected{entry.error()};
        if (!(*entry)->events) continue;
        auto& batch = *(*entry)->events;
        for (auto& row : batch.rows) {
          if (wanted(batch, row)) append_event_line(lines, batch, row);
          if (lines.size() < line_chunk_bytes) continue;
          if (auto taken = take(std::exchange(lines, {})); !taken) return taken;
        }
      }
    }
  }
  return lines.empty() ? expected<void>{} : take(std::move(lines));
}

} // namespace finstream
