#define CAF_SUITE log_bases

#include "actors/log_bases.hpp"
#include "actors/stages.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <algorithm>
#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr int minutes = 60;

// A partition that keeps ten minutes of its log, and has a trade and a late one each few seconds.
struct trading_world : world {
  trading_world() {
    config.checkpoint.interval_ms = 1000;
    config.bus.retain_ms = 600'000;
    start();
  }
  void start() {
    appender = start_appender();
    window = start_window();
    feed = listen();
  }
  void trade_for(int seconds) {
    for (int end = now + seconds; now < end; now += 5) {
      auto when = at("09:30:00") + now * second;
      std::vector<happening> events{trade(when, std::to_string(100 + now % 7), "2", now)};
      if (now % 20 == 15) events.push_back(trade(when - 12 * second, "1", "1", 1'000'000 + now)); // late
      auto part = std::make_shared<chunk_part>(*part_of(events));
      auto lines = std::make_shared<raw_lines>();
      for (auto& row : part->events->rows) lines->add("line of " + std::to_string(row.seq));
      part->raw = lines;
      tell(appender, verb::append_v, chunk_part_ptr{part}, ++number, feed.as<append_listener>());
      pass(5 * second);
    }
  }
  log_range range(topic of) const { return *log.range(of, 0); }
  // Goes over what is left of the log, and compares with what is left of its outputs.
  void check_replay() const {
    partition_stages stages;
    auto loaded = load_base(log, 0, range(topic::events).head);
    CAF_REQUIRE(loaded.has_value());
    CAF_REQUIRE(stages.load(loaded->second).has_value());
    auto& base = loaded->first;
    auto bars = *log.read(topic::bars, 0, base.next_bar, 1 << 30);
    auto rejected = *log.read(topic::rejected, 0, base.next_rejected, 1 << 30);
    std::size_t bars_seen = 0, rejected_seen = 0;
    for (auto& entry : entries()) {
      auto step = stages.apply(*entry);
      CAF_REQUIRE(step.has_value());
      for (auto& made : to_records(step->bars, step->log_ts)) {
        CAF_REQUIRE(bars_seen < bars.size());
        CAF_CHECK_EQUAL(derived_record_of(derived_topic::bars, 0, *made).payload, bars[bars_seen++].payload);
      }
      rejected_seen += step->rejected.size();
    }
    CAF_CHECK_EQUAL(bars_seen, bars.size());
    CAF_CHECK_EQUAL(rejected_seen, rejected.size());
    CAF_CHECK(bars_seen > 0 && rejected_seen > 0);
  }

  appender_actor appender;
  window_actor window;
  listener feed;
  std::uint64_t number = 0;
  int now = 0;
};

} // namespace

CAF_TEST(a log is cut at a base from which what is left can be gone over again) {
  trading_world w;
  w.trade_for(9 * minutes);
  CAF_CHECK_EQUAL(w.range(topic::events).head, 0u);
  w.trade_for(16 * minutes);
  auto events = w.range(topic::events);
  CAF_CHECK_LESS(0u, events.head);
  CAF_CHECK_LESS(0u, w.range(topic::bars).head);
  CAF_CHECK_LESS(0u, w.range(topic::rejected).head);
  auto oldest = w.entries().front()->log_ts;
  CAF_CHECK(w.time.now() - oldest >= 10 * minutes * second);
  CAF_CHECK(w.time.now() - oldest <= 13 * minutes * second);
  w.check_replay();
}

CAF_TEST(the lines of events are kept as long as the events) {
  trading_world w;
  w.trade_for(25 * minutes);
  auto events = w.range(topic::events);
  CAF_CHECK_LESS(0u, events.head);
  CAF_CHECK_LESS(0u, w.range(topic::raw).head);
  std::map<std::uint64_t, std::string> line_at;
  for (auto& r : w.records(topic::raw)) {
    auto lines = decode_lines(r.payload).value();
    CAF_CHECK_EQUAL(r.count, lines.lengths.size());
    std::size_t begin = 0;
    for (std::size_t i = 0; i < lines.lengths.size(); begin += lines.lengths[i++])
      line_at[lines.first_offset + i] = lines.bytes.substr(begin, lines.lengths[i]);
  }
  std::size_t seen = 0;
  for (auto& entry : w.entries()) {
    if (!entry->events) continue;
    for (std::size_t i = 0; i < entry->events->rows.size(); ++i, ++seen)
      CAF_CHECK_EQUAL(line_at[entry->offset + i], "line of " + std::to_string(entry->events->rows[i].seq));
  }
  CAF_CHECK(line_at.size() == seen && seen > 100); // and none of events that are gone
}

CAF_TEST(a log that was cut goes on after a crash) {
  trading_world w;
  w.trade_for(20 * minutes);
  for (int i = 0; i < 5; ++i) {
    w.kill("/partitions/0/window");
    w.kill("/partitions/0/appender");
    w.start();
    w.trade_for(3 * minutes);
    w.check_replay();
  }
  auto oldest = w.entries().front()->log_ts;
  CAF_CHECK(w.time.now() - oldest <= 13 * minutes * second);
}

CAF_TEST(a window without a checkpoint of use begins at the base) {
  trading_world w;
  w.trade_for(20 * minutes);
  w.kill("/partitions/0/window");
  transaction tx;
  tx.writes.push_back({stage_table, snapshot_key(0), pack_snapshot(7, {"nonsense", "", ""})});
  CAF_REQUIRE(w.log.write(std::move(tx)).has_value());
  w.window = w.start_window();
  w.trade_for(1 * minutes);
  CAF_CHECK_EQUAL(w.end_of("/partitions/0/window"), "");
  w.check_replay();
}

CAF_TEST(a head that is no base is named) {
  trading_world w;
  w.trade_for(2 * minutes);
  auto base = load_base(w.log, 0, 4711);
  CAF_REQUIRE(!base.has_value());
  CAF_CHECK(base.error().code == errc::trimmed);
}

CAF_TEST(of the lines of events those of duplicates are left out) {
  trading_world w;
  auto append = [&](std::int64_t first, std::int64_t last) {
    std::vector<happening> events;
    for (auto seq = first; seq <= last; ++seq)
      events.push_back(trade(at("09:30:00") + seq * millisecond, "1", "1", seq));
    auto part = std::make_shared<chunk_part>(*part_of(events));
    part->before = {source_event{"feed", "nyse", source_change::up, {}, {}, false, ""}};
    auto lines = std::make_shared<raw_lines>();
    for (auto& row : part->events->rows) lines->add("line " + std::to_string(row.seq) + "\n");
    part->raw = lines;
    w.tell(w.appender, verb::append_v, chunk_part_ptr{part}, ++w.number, w.feed.as<append_listener>());
    auto records = w.records(topic::raw);
    auto kept = records.empty() ? raw_lines{} : decode_lines(records.back().payload).value();
    auto entries = w.entries();
    auto with_events = std::find_if(entries.rbegin(), entries.rend(), [](auto& x) { return x->events != nullptr; });
    CAF_CHECK_EQUAL(kept.first_offset, (*with_events)->offset);
    return kept.bytes;
  };
  CAF_CHECK_EQUAL(append(1, 4), "line 1\nline 2\nline 3\nline 4\n");
  CAF_CHECK_EQUAL(append(3, 6), "line 5\nline 6\n");
  CAF_CHECK_EQUAL(append(5, 6), "line 5\nline 6\n"); // nothing was written
  CAF_CHECK_EQUAL(w.records(topic::raw).size(), 2u);
}

CAF_TEST(the newest base before a time is found and the stages go on from it) {
  trading_world w;
  w.trade_for(25 * minutes);
  auto found = find_base_before(w.log, 0, w.time.now() - 3 * minutes * second);
  CAF_REQUIRE(found && *found);
  auto& [base, states] = **found;
  CAF_CHECK(base.log_ts < w.time.now() - 3 * minutes * second);
  CAF_CHECK_LESS(w.range(topic::events).head, base.offset);
  auto newest = find_base_before(w.log, 0, w.time.now() + 1);
  CAF_REQUIRE(newest && *newest);
  CAF_CHECK_LESS(base.offset, (*newest)->first.offset);
  auto too_early = find_base_before(w.log, 0, at("09:30:00"));
  CAF_REQUIRE(too_early);
  CAF_CHECK(!*too_early);
  partition_stages stages;
  CAF_REQUIRE(stages.load(states).has_value());
  std::uint64_t next_bar = base.next_bar;
  for (auto& entry : w.entries()) {
    if (entry->offset < base.offset) continue;
    auto step = stages.apply(*entry);
    CAF_REQUIRE(step.has_value());
    next_bar += step->bars.size();
  }
  CAF_CHECK_EQUAL(next_bar, w.range(topic::bars).next);
}
