#define CAF_SUITE backfill_lane

#include "tests/actors/lane_world.hpp"

using namespace finstream;
using namespace finstream::test;

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

CAF_TEST(features of a window that was healed for now are those of its bar in the end) {
  lane_world w;
  feature_rules features;
  features.interval = 5 * second;
  features.windows = {{"momentum", feature_kind::momentum, 0, 1}};
  w.rules.set({w.rules.get().first.bars, features.save(), {}});
  w.start();
  w.pass(2 * second);
  std::string lines;
  for (int n = 0; n < 7; ++n) lines += line_of(at("08:00:00.5") + n * second, std::to_string(50 + n), n, "SPY", "old");
  CAF_CHECK_EQUAL(w.post(lines).taken, 7u);
  w.pass(4 * second);
  auto said = w.made(topic::features).size();
  CAF_CHECK_EQUAL(said, 2u);
  w.live({trade(at("08:00:08.5"), "90", "1", 100, "SPY", "old")});
  w.pass(second);
  w.live({trade(at("08:00:12.5"), "30", "1", 101, "SPY", "old"), trade(at("08:00:17"), "60", "1", 102, "SPY", "old")});
  w.pass(12 * second);
  feature_stage in_order{features};
  std::map<timestamp, feature_vector> wanted, last;
  for (auto start = at("08:00:00"); start < at("08:00:20"); start = start + 5 * second)
    if (auto made = w.stored(start, 5 * second, "old")) in_order.on_bar(*made);
  for (auto& x : in_order.take_output()) wanted[x.start] = x;
  for (auto& item : w.made(topic::features))
    if (auto* x = std::get_if<feature_vector>(&item)) last[x->start] = *x;
  CAF_CHECK_EQUAL(last.size(), 4u);
  CAF_REQUIRE_EQUAL(wanted.size(), last.size());
  for (auto& [start, x] : wanted) CAF_CHECK(say_the_same(x, last[start]));
  CAF_CHECK_EQUAL(w.counted("finstream_backfill_owed_windows"), 0u);
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
