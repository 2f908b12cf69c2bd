// A partition's actors and the backfill lane over it, in one test.
#pragma once

#include "actors/backfill_lane.hpp"
#include "actors/logic/rule_names.hpp"
#include "actors/rest.hpp"
#include "actors/stages.hpp"
#include "messages/codec/json.hpp"
#include "runtime/store/bar_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace finstream::test {

inline std::string line_of(timestamp when, const std::string& price, std::int64_t seq,
                           const std::string& symbol = "SPY", const std::string& provider = "nyse") {
  return R"({"provider":")" + provider + R"(","symbol":")" + symbol + R"(","src_ts":")" + to_string(when) +
         R"(","seq":)" + std::to_string(seq) + R"(,"price":)" + price + R"(,"size":1})" + "\n";
}

struct lane_world : world {
  lane_world() {
    config.checkpoint.interval_ms = 1000;
    bar_rules bars;
    bars.intervals = {second, 5 * second};
    feature_rules features;
    features.windows = {{"momentum", feature_kind::momentum, 0, 2}};
    rule_book book;
    book.names = rule_names(features.windows);
    book.rules = {rule_of("rising", "momentum > 0")};
    rules.set({bars.save(), features.save(), book.save()});
  }
  void start() {
    start_appender();
    start_window();
    feed = listen();
    start_lane();
    pass(100 * millisecond);
  }
  void start_lane() {
    lane = spawn_metered<backfill_state>(system(), where, backfill_path,
                                         [this](backfill_state& state) { state.prepare(&context); });
    settle();
  }
  void kill_all() {
    kill(backfill_path);
    kill("/partitions/0/window");
    kill("/partitions/0/features");
    kill("/partitions/0/inference");
    kill("/partitions/0/appender");
    for (auto* child : {"window", "features", "inference", "appender"}) forget(partition_path(0, child));
  }
  void live(const std::vector<happening>& events) {
    tell(find<appender_actor>("/partitions/0/appender"), verb::append_v, part_of(events), ++number,
         feed.as<append_listener>());
  }
  // Where its answer will be.
  std::shared_ptr<std::vector<backfill_answer>> send_post(const std::string& lines, bool dry_run = false) {
    auto post = std::make_shared<backfill_post>();
    auto got = std::make_shared<std::vector<backfill_answer>>();
    post->feed = "past";
    post->lines = lines;
    post->dry_run = dry_run;
    post->answer = [got](backfill_answer x) { got->push_back(std::move(x)); };
    tell(lane, verb::append_v, backfill_post_ptr{post});
    return got;
  }
  backfill_answer post(const std::string& lines, bool dry_run = false) {
    auto got = send_post(lines, dry_run);
    CAF_REQUIRE_EQUAL(got->size(), 1u);
    return got->front();
  }
  // The bar of a second, or of five; null where there is none.
  std::optional<bar> stored(timestamp start, nanoseconds interval = second, const std::string& provider = "nyse") {
    std::optional<bar> out;
    scan_bars(log, {"SPY", interval, provider, start, start + 1}, [&](const bar& x) { return out = x, true; });
    return out;
  }
  std::uint64_t trades(timestamp start, nanoseconds interval = second, const std::string& provider = "nyse") {
    auto found = stored(start, interval, provider);
    return found ? found->trades : 0;
  }
  std::vector<derived> made(topic of) const {
    std::vector<derived> out;
    for (auto& r : records(of)) {
      auto items = derived_from_msgpack(r.payload);
      ensure(items.has_value(), "what is written can be read");
      out.insert(out.end(), items->begin(), items->end());
    }
    return out;
  }
  std::size_t signals() const { return made(topic::signals).size(); }
  // What the log gives when it is gone over again.
  bool replays_the_same() const {
    partition_stages stages;
    std::vector<derived> bars, features, all_signals;
    auto dealt_with = offset_from_text(saved(stage_table, dealt_with_key(0)));
    for (auto& entry : entries()) {
      if (entry->offset >= dealt_with) break;
      auto step = stages.apply(*entry);
      ensure(step.has_value(), "the log can be gone over");
      bars.insert(bars.end(), step->bars.begin(), step->bars.end());
      features.insert(features.end(), step->features.begin(), step->features.end());
      all_signals.insert(all_signals.end(), step->signals.begin(), step->signals.end());
    }
    return bars == made(topic::bars) && features == made(topic::features) && all_signals == made(topic::signals);
  }

  backfill_actor lane;
  listener feed;
  std::uint64_t number = 0;
};

// A trade in each second from 09:30:00 on but for the fourth, and then silence until all is closed.
inline void trade_with_a_hole(lane_world& w, int seconds = 10) {
  for (int n = 0; n < seconds; ++n) {
    if (n != 3) w.live({trade(at("09:30:00.5") + n * second, std::to_string(100 + n), "1", n)});
    w.pass(second);
  }
  w.pass(8 * second);
}

} // namespace finstream::test
