#define CAF_SUITE backfill_recovery

#include "tests/actors/lane_world.hpp"

using namespace finstream;
using namespace finstream::test;

CAF_TEST(whatever is killed after the answer is healed by those that come next) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.25"), "103", 3)).taken, 1u);
  w.kill_all();
  CAF_REQUIRE(!w.stored(at("09:30:03")));
  w.start();
  w.pass(4 * second);
  CAF_CHECK(w.stored(at("09:30:03")).has_value());
  auto before = w.made(topic::bars).size();
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.25"), "103", 3)).duplicates, 1u);
  w.kill_all();
  w.start();
  w.pass(4 * second);
  CAF_CHECK_EQUAL(w.made(topic::bars).size(), before);
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(what a lane that died had handed over is not taken a second time) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  w.log.refuse(errc::disk_full);
  w.send_post(line_of(at("09:30:03.25"), "103", 3));
  w.kill(backfill_path);
  w.forget(backfill_path);
  w.start_lane();
  auto again = w.send_post(line_of(at("09:30:03.25"), "103", 3));
  w.log.refuse(errc::none);
  w.pass(3 * second);
  CAF_REQUIRE_EQUAL(again->size(), 1u);
  CAF_CHECK_EQUAL(again->front().taken, 0u);
  CAF_CHECK_EQUAL(again->front().duplicates, 1u);
  CAF_CHECK_EQUAL(w.trades(at("09:30:03")), 1u);
}

CAF_TEST(a lane that begins anew waits for what was healed before it) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.25"), "103", 3)).taken, 1u);
  auto is_healed = [&] {
    auto all = w.entries();
    return std::any_of(all.begin(), all.end(),
                       [](auto& x) { return x->kind == static_cast<std::uint8_t>(record_kind::healed); });
  };
  w.kill("/partitions/0/window"); // nobody passes on what is healed
  for (int i = 0; i < 40 && !is_healed(); ++i) w.pass(100 * millisecond);
  CAF_REQUIRE(is_healed());
  w.kill_all();
  w.start_appender();
  w.start_lane();
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.75"), "104", 4)).taken, 1u);
  w.pass(2 * second);
  w.start_window();
  w.pass(6 * second);
  CAF_CHECK_EQUAL(w.trades(at("09:30:03")), 2u);
  std::set<std::tuple<timestamp, nanoseconds, std::uint32_t>> revisions;
  for (auto& item : w.made(topic::bars))
    if (auto* x = std::get_if<bar>(&item)) CAF_CHECK(revisions.insert({x->start, x->interval, x->revision}).second);
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(a window of an interval that is new is healed by the rules that have it) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  bar_rules bars;
  bars.intervals = {second, 5 * second, 10 * second};
  w.rules.set({bars.save(), w.rules.get().first.features, w.rules.get().first.signals});
  w.tell(w.find<appender_actor>("/partitions/0/appender"), verb::obey_v); // the last checkpoint is from before
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.25"), "103", 3)).taken, 1u);
  w.pass(6 * second);
  CAF_CHECK_EQUAL(w.trades(at("09:30:03")), 1u);
  CAF_CHECK_EQUAL(w.trades(at("09:30:00"), 10 * second), 10u);
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(a record that is set aside keeps nobody from backfilling) {
  lane_world w;
  transaction poison;
  poison.appends.push_back({topic::events, 0, record_kind::events, 1, w.time.now(), "garbage"});
  set_aside_request aside;
  aside.key = set_aside_key(0, 0);
  aside.from = line_stage::window;
  poison.writes.push_back(set_aside_write(aside, 0));
  CAF_REQUIRE(w.log.write(std::move(poison)).has_value());
  w.start();
  trade_with_a_hole(w);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:03.25"), "103", 3)).taken, 1u);
  w.pass(3 * second);
  CAF_CHECK_EQUAL(w.trades(at("09:30:03")), 1u);
}
