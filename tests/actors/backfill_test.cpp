#define CAF_SUITE backfill_lane

#include "actors/backfill_lane.hpp"
#include "actors/logic/rule_names.hpp"
#include "actors/rest.hpp"
#include "actors/stages.hpp"
#include "messages/codec/json.hpp"
#include "runtime/store/bar_store.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

std::string line_of(timestamp when, const std::string& price, std::int64_t seq, const std::string& symbol = "SPY",
                    const std::string& provider = "nyse") {
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
void trade_with_a_hole(lane_world& w, int seconds = 10) {
  for (int n = 0; n < seconds; ++n) {
    if (n != 3) w.live({trade(at("09:30:00.5") + n * second, std::to_string(100 + n), "1", n)});
    w.pass(second);
  }
  w.pass(8 * second);
}

} // namespace

CAF_TEST(a second that was missed gets its bar and the longer one that it lies in is revised) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  CAF_REQUIRE(!w.stored(at("09:30:03")));
  CAF_CHECK_EQUAL(w.trades(at("09:30:00"), 5 * second), 4u);
  auto answer = w.post(line_of(at("09:30:03.25"), "103", 3) + line_of(at("09:30:03.5"), "90", 33));
  CAF_CHECK_EQUAL(answer.taken, 2u);
  CAF_CHECK_EQUAL(answer.duplicates, 0u);
  w.pass(3 * second);
  auto healed = w.stored(at("09:30:03"));
  CAF_REQUIRE(healed);
  CAF_CHECK_EQUAL(told(*healed), "103/103/90/90/2/96.5/2");
  CAF_CHECK_EQUAL(healed->revision, 0u);
  CAF_CHECK_EQUAL(flags_to_string(healed->flags), "backfilled");
  auto longer = w.stored(at("09:30:00"), 5 * second);
  CAF_CHECK_EQUAL(longer->trades, 6u);
  CAF_CHECK_EQUAL(longer->revision, 1u);
  CAF_CHECK(longer->state == bar_state::revised);
  CAF_CHECK(w.replays_the_same());
  CAF_CHECK_EQUAL(w.counted("finstream_healed_bars_total"), 2u);
  CAF_CHECK_EQUAL(w.counted("finstream_backfill_owed_windows"), 0u);
}

CAF_TEST(posting the same again changes nothing and what is live is a duplicate) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  auto lines = line_of(at("09:30:03.25"), "103", 3) + line_of(at("09:30:04.5"), "104", 4);
  auto first = w.post(lines);
  CAF_CHECK_EQUAL(first.taken, 1u);
  CAF_CHECK_EQUAL(first.duplicates, 1u);
  w.pass(3 * second);
  auto before = w.made(topic::bars);
  auto again = w.post(lines + lines);
  CAF_CHECK_EQUAL(again.taken, 0u);
  CAF_CHECK_EQUAL(again.duplicates, 4u);
  w.pass(3 * second);
  CAF_CHECK(w.made(topic::bars) == before);
}

CAF_TEST(features behind a healed bar are revised and a new bar may make a signal) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  auto signals = w.signals();
  auto vectors = w.made(topic::features).size();
  CAF_CHECK_LESS(0u, signals); // on the edge: momentum is there from the third bar on
  w.post(line_of(at("09:30:03.25"), "103", 3));
  w.pass(3 * second);
  auto now = w.made(topic::features);
  CAF_REQUIRE_LESS(vectors, now.size());
  auto first = std::get<feature_vector>(now[vectors]);
  CAF_CHECK(first.start == at("09:30:03"));
  CAF_CHECK_EQUAL(first.revision, 0u);
  for (auto i = vectors + 1; i < now.size(); ++i) CAF_CHECK_EQUAL(std::get<feature_vector>(now[i]).revision, 1u);
  CAF_CHECK_EQUAL(now.size() - vectors, 3u); // its own, and two bars behind it look back on it
  CAF_CHECK_EQUAL(w.signals(), signals);     // momentum was rising already
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(a window that is open is healed once it is closed) {
  lane_world w;
  w.start();
  w.live({trade(at("09:30:00.1"), "10", "1", 1)});
  w.pass(200 * millisecond);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:30:00.15"), "20", 2)).taken, 1u);
  w.pass(2 * second);
  for (int n = 1; n < 4; ++n) w.live({trade(at("09:30:00.1") + n * second, "10", "1", 10 + n)});
  w.pass(millisecond);
  CAF_CHECK_LESS(0u, w.counted("finstream_backfill_owed_windows")); // that of five seconds
  w.pass(12 * second);
  CAF_CHECK_EQUAL(told(*w.stored(at("09:30:00"))), "10/20/10/20/2/15/2");
  CAF_CHECK_EQUAL(w.trades(at("09:30:00"), 5 * second), 5u);
  CAF_CHECK_EQUAL(w.counted("finstream_backfill_owed_windows"), 0u);
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(history of a source that was never live gets bars that are new) {
  lane_world w;
  w.start();
  w.pass(2 * second);
  std::string lines;
  for (int n = 0; n < 7; ++n) lines += line_of(at("08:00:00.5") + n * second, std::to_string(50 + n), n, "SPY", "old");
  CAF_CHECK_EQUAL(w.post(lines).taken, 7u);
  w.pass(4 * second);
  for (int n = 0; n < 7; ++n) {
    auto made = w.stored(at("08:00:00") + n * second, second, "old");
    CAF_REQUIRE(made);
    CAF_CHECK_EQUAL(made->revision, 0u);
    CAF_CHECK_EQUAL(to_string(made->coverage), "0");
  }
  CAF_CHECK_EQUAL(w.trades(at("08:00:05"), 5 * second, "old"), 2u);
  // The source goes live in the middle of the window that is healed for now: it is healed again when that is closed.
  w.live({trade(at("08:00:08.5"), "60", "1", 100, "SPY", "old")});
  w.pass(12 * second);
  auto longer = w.stored(at("08:00:05"), 5 * second, "old");
  CAF_CHECK_EQUAL(longer->trades, 3u);
  CAF_CHECK_EQUAL(longer->revision, 1u);
  CAF_CHECK(w.replays_the_same());
}

CAF_TEST(an event that came too late for its bar counts when it is posted again) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  w.live({trade(at("09:30:03.5"), "77", "1", 300)});
  w.pass(second);
  CAF_REQUIRE_EQUAL(w.letters(topic::rejected).size(), 1u);
  CAF_REQUIRE(!w.stored(at("09:30:03")));
  auto answer = w.post(line_of(at("09:30:03.5"), "77", 300));
  CAF_CHECK_EQUAL(answer.taken, 0u);
  CAF_CHECK_EQUAL(answer.duplicates, 1u);
  w.pass(3 * second);
  CAF_REQUIRE(w.stored(at("09:30:03")));
  CAF_CHECK_EQUAL(told(*w.stored(at("09:30:03"))), "77/77/77/77/1/77/1");
}

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

CAF_TEST(a dry run says what would change and changes nothing) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  auto records = w.records(topic::events).size();
  auto answer = w.post(line_of(at("09:30:03.25"), "103", 3), true);
  CAF_CHECK_EQUAL(answer.taken, 1u);
  CAF_CHECK_EQUAL(answer.would_heal.bars_new, 1u);
  CAF_CHECK_EQUAL(answer.would_heal.bars_revised, 1u);
  CAF_CHECK_EQUAL(answer.would_heal.features, 3u);
  w.pass(3 * second);
  CAF_CHECK(!w.stored(at("09:30:03")));
  CAF_CHECK_EQUAL(w.records(topic::events).size(), records);
}

CAF_TEST(lines that cannot be used are dead letters) {
  lane_world w;
  w.start();
  auto answer = w.post("nonsense\n" + line_of(at("12:00:00"), "1", 1));
  CAF_CHECK_EQUAL(answer.dead_letters, 2u); // one is of the future
  CAF_CHECK_EQUAL(answer.dead_letter_why.size(), 2u);
  auto letters = w.letters(topic::dead_letters);
  CAF_REQUIRE_EQUAL(letters.size(), 2u);
  CAF_CHECK_EQUAL(letters[0].feed, "past");
}

CAF_TEST(more than the rate allows is told when to come again) {
  lane_world w;
  w.config.backfill.max_events_per_s = 2;
  w.start();
  auto first = w.post(line_of(at("09:29:00"), "1", 1) + line_of(at("09:29:00"), "1", 2));
  CAF_CHECK_EQUAL(first.wait_ms, 1000);
  auto second_one = w.post(line_of(at("09:29:00"), "1", 3));
  CAF_CHECK(second_one.refused.code == errc::overloaded);
  CAF_CHECK_EQUAL(second_one.taken, 0u);
  CAF_CHECK_LESS(0, second_one.wait_ms);
  w.pass(second_one.wait_ms * millisecond);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:29:00"), "1", 3)).taken, 1u);
}

CAF_TEST(while live data lags nothing is taken) {
  lane_world w;
  w.start();
  w.pass(second);
  w.kill("/partitions/0/window");
  w.live({trade(at("09:30:01"), "10", "1", 1)});
  w.pass(3 * second);
  auto answer = w.post(line_of(at("09:29:00"), "1", 1));
  CAF_CHECK(answer.refused.code == errc::overloaded);
  CAF_CHECK_LESS(0, answer.wait_ms);
  w.start_window();
  w.pass(second);
  CAF_CHECK_EQUAL(w.post(line_of(at("09:29:00"), "1", 1)).taken, 1u);
}

CAF_TEST(bars whose events are no longer in the log are left alone) {
  lane_world w;
  w.start();
  trade_with_a_hole(w);
  auto entries = w.entries();
  auto in_the_middle = std::find_if(entries.begin(), entries.end(),
                                    [](auto& x) { return x->events && x->events->rows[0].src_ts >= at("09:30:05"); });
  CAF_REQUIRE(in_the_middle != entries.end());
  auto head = w.log.trim(topic::events, 0, (*in_the_middle)->offset);
  CAF_REQUIRE(head && *head == (*in_the_middle)->offset);
  auto answer = w.post(line_of(at("09:30:02.25"), "1", 1) + line_of(at("09:30:03.25"), "1", 2) +
                       line_of(at("09:30:06.25"), "1", 3));
  CAF_CHECK_EQUAL(answer.trimmed, 2u);
  CAF_CHECK_EQUAL(answer.taken, 1u);
  CAF_CHECK(answer.trimmed_from == at("09:30:02.25"));
  CAF_CHECK(answer.trimmed_to == at("09:30:03.25"));
  w.pass(3 * second);
  CAF_CHECK_EQUAL(w.trades(at("09:30:06")), 2u);
  CAF_CHECK_EQUAL(w.trades(at("09:30:02")), 1u);
}

CAF_TEST(what an answer says over HTTP) {
  backfill_answer x;
  x.taken = 2, x.trimmed = 1, x.trimmed_from = x.trimmed_to = at("09:30:00");
  x.dead_letter_why = {"bad_field: \"x\""};
  auto good = written(x);
  CAF_CHECK_EQUAL(good.status, 200);
  CAF_CHECK_EQUAL(good.body.find(R"({"taken":2,"duplicates":0,"dead_letters":0,"wait_ms":0)"), 0u);
  CAF_CHECK(good.body.find(R"(["bad_field: \"x\""])") != std::string::npos);
  CAF_CHECK(good.body.find(R"("from":"2026-01-05T09:30:00Z")") != std::string::npos);
  x.refused = {errc::overloaded, "later"}, x.wait_ms = 700;
  auto refused = written(x);
  CAF_CHECK_EQUAL(refused.status, 503);
  CAF_CHECK_EQUAL(refused.content_type, "application/problem+json");
  CAF_CHECK(refused.body.ends_with(R"("detail":"later","wait_ms":700})"));
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
