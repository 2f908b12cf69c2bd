// The rules of bars, and their change while the log goes on.
#define CAF_SUITE bars_rules

#include "tests/support/arrival.hpp"
#include "tests/support/naive_bars.hpp"
#include "tests/support/suite.hpp"

#include <map>
#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

bar_rules rules_of(std::vector<nanoseconds> seconds, std::uint64_t hash) {
  bar_rules rules;
  for (auto& x : seconds) x *= second;
  rules.intervals = std::move(seconds);
  rules.config_hash = hash;
  return rules;
}

bool same(const bar_rules& a, const bar_rules& b) { return a.save() == b.save(); }

} // namespace

CAF_TEST(rules are read back as they were saved) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 100; ++i) {
    auto rules = random_rules(random);
    rules.max_open_windows = random();
    auto back = bar_rules::load(rules.save());
    CAF_REQUIRE(back.has_value());
    CAF_CHECK(same(rules, *back));
    CAF_CHECK(back->intervals == rules.intervals);
    CAF_CHECK_EQUAL(back->sets.size(), rules.sets.size());
  }
}

CAF_TEST(rules that make no sense are refused) {
  auto refused = [](const bar_rules& rules) {
    auto x = bar_rules::load(rules.save());
    return !x && x.error().code == errc::corrupt_record;
  };
  CAF_CHECK(refused(rules_of({}, 0)));
  CAF_CHECK(refused(rules_of({0}, 0)));
  CAF_CHECK(refused(rules_of({-1, 1}, 0)));
  CAF_CHECK(refused(rules_of({5, 1}, 0)));
  CAF_CHECK(refused(rules_of({1, 1}, 0)));
  auto nobody = rules_of({1}, 0);
  nobody.sets = {{"empty", {}}};
  CAF_CHECK(refused(nobody));
  CAF_CHECK(!bar_rules::load("").has_value());
}

CAF_TEST(changed bytes of rules are refused or are rules that can be used) {
  std::mt19937_64 random{2};
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = random_rules(random).save();
    for (auto n = 1 + random() % 3; n != 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (auto loaded = bar_rules::load(bytes)) bar_stage{*loaded};
  }
  CAF_CHECK(true); // nothing has crashed
}

CAF_TEST(a start with the same rules closes nothing) {
  auto rules = rules_of({1, 60}, 7);
  run x{rules};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1")});
  x.take({at("09:30:00.3"), {}, {}, rules, {}});
  CAF_CHECK(x.records.empty());
  CAF_CHECK_EQUAL(x.stage.open_windows(), 1u);
}

CAF_TEST(a start with other rules closes all that is open under the old ones) {
  run x{rules_of({1, 60}, 7)};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1")});
  x.take({at("09:30:00.3"), {}, {}, rules_of({1, 5}, 8), {}});
  CAF_CHECK_EQUAL(x.bars.size(), 2u);
  for (auto& b : x.bars) CAF_CHECK_EQUAL(b.config_hash, 7u);
  CAF_CHECK_EQUAL(x.stage.open_windows(), 0u);
  x.events(at("09:30:01"), {trade(at("09:31:00.1"), "2", "1")});
  x.take(said(at("09:30:02"), source_change::eof));
  CAF_REQUIRE_EQUAL(x.bars.size(), 4u);
  CAF_CHECK_EQUAL(x.bars[3].config_hash, 8u);
  CAF_CHECK_EQUAL(x.bars[3].interval, 5 * second);
}

CAF_TEST(a start with other rules of time closes nothing) {
  auto before = rules_of({1, 60}, 7), after = rules_of({1, 60}, 8);
  after.clock.allow_late = 2 * second;
  run x{before};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1")});
  x.take({at("09:30:00.3"), {}, {}, after, {}});
  CAF_CHECK(x.records.empty());
  x.events(at("09:30:03"), {trade(at("09:30:02.9"), "2", "1"), trade(at("09:30:00.9"), "3", "1")});
  CAF_CHECK(x.rejected.empty());
  x.events(at("09:30:03.1"), {trade(at("09:30:03"), "2", "1")});
  CAF_REQUIRE_EQUAL(x.bars.size(), 1u);
  CAF_CHECK_EQUAL(told(x.bars[0]), "1/3/1/3/2/2/2");
  CAF_CHECK_EQUAL(x.bars[0].config_hash, 8u);
}

CAF_TEST(what has been closed stays closed under other rules) {
  run x{rules_of({1, 60}, 7)};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1")});
  x.take({at("09:30:00.3"), {}, {}, rules_of({1, 5, 60}, 8), {}});
  x.events(at("09:30:00.4"), {trade(at("09:30:30"), "2", "1")});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
}

CAF_TEST(ends of intervals go on where they stopped under other rules) {
  run x{rules_of({1, 60}, 7)};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1"), trade(at("09:30:05"), "1", "1")});
  x.take({at("09:30:05.3"), {}, {}, rules_of({1, 5}, 8), {}});
  x.take(said(at("09:30:05.4"), source_change::up, {}, {}, true));
  x.events(at("09:30:06"), {trade(at("09:31:07.2"), "2", "1"), trade(at("09:31:12"), "2", "1")});
  CAF_CHECK_EQUAL(told(x.ends_of(second)),
                  "09:30:00-09:30:01 closed; 09:30:01-09:30:04 no_trades; 09:30:04-09:30:05 no_trades; "
                  "09:30:05-09:30:06 closed; 09:30:06-09:31:06 no_trades; 09:31:06-09:31:07 no_trades; "
                  "09:31:07-09:31:08 closed; 09:31:08-09:31:11 no_trades");
  // The new interval begins where the old rules ended.
  CAF_CHECK_EQUAL(told(x.ends_of(5 * second)), "09:31:00-09:31:05 no_trades; 09:31:05-09:31:10 closed");
}

CAF_TEST(a bar of a new interval that the change cuts is called a part) {
  run x{rules_of({1}, 7)};
  x.events(at("09:30:00"), {trade(at("09:30:00"), "1", "1"), trade(at("09:30:14"), "1", "1")});
  x.take({at("09:30:14.3"), {}, {}, rules_of({1, 60}, 8), {}});
  x.take(said(at("09:30:14.4"), source_change::up, {}, {}, true));
  x.events(at("09:30:15.2"), {trade(at("09:30:15.1"), "2", "1"), trade(at("09:31:01"), "2", "1")});
  auto minutes = x.bars_of(60 * second);
  CAF_REQUIRE_EQUAL(minutes.size(), 1u);
  CAF_CHECK_EQUAL(to_string(minutes[0].coverage), "0.75");
  CAF_CHECK_EQUAL(flags_to_string(minutes[0].flags), "partial_start");
  auto seconds = x.bars_of(second);
  CAF_CHECK_EQUAL(seconds.back().flags, 0u);
}

CAF_TEST(what is not known of a source stays unknown under other rules) {
  run x{rules_of({1}, 7)};
  x.events(at("09:30:00"), {trade(at("09:30:00"), "1", "1")});
  x.take(said(at("09:30:00.3"), source_change::down));
  x.take({at("09:30:10"), {}, {}, rules_of({1}, 8), {}});
  x.events(at("09:30:10"), {trade(at("09:30:10.5"), "2", "1"), trade(at("09:30:12"), "2", "1")});
  CAF_CHECK_EQUAL(flags_to_string(x.bars.back().flags), "gap");
  CAF_CHECK_EQUAL(to_string(x.bars.back().coverage), "0.5");
}

CAF_TEST(a source set that gets another member keeps what it has closed) {
  auto before = rules_of({1}, 7), after = rules_of({1}, 8);
  before.sets = {{"pair", {"left", "right"}}}, after.sets = {{"pair", {"third", "right"}}};
  run x{before};
  x.events(at("09:30:00.2"), {trade(at("09:30:00.1"), "1", "1", 0, "SPY", "right")});
  x.take({at("09:30:00.3"), {}, {}, after, {}});
  x.events(at("09:30:00.4"), {trade(at("09:30:00.3"), "2", "1", 0, "SPY", "right")});
  CAF_CHECK_EQUAL(x.rejected.size(), 1u);
  CAF_CHECK_EQUAL(x.bars.size(), 1u);
}

CAF_TEST(whatever rules follow one another no bar and no end of an interval comes twice) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_rules(random);
    log_options options;
    options.node_restarts = false;
    auto log = random_log(random, rules, options);
    for (auto& s : log)
      if (s.events.empty() && !s.source && random() % 5 == 0) s.start = random_rules(random);
    log.push_back(long_silence(log));
    run x{rules};
    x.take_all(log);
    std::set<bar_key_text> seen;
    for (auto& b : x.bars)
      if (!seen.insert(key_of(b)).second) CAF_ERROR("seed " << seed << ": a bar comes twice");
    std::map<std::pair<std::string, nanoseconds>, timestamp> last;
    for (auto& e : x.ends) {
      auto at_last = last.find({e.provider, e.interval});
      if (at_last != last.end() && e.start < at_last->second)
        CAF_ERROR("seed " << seed << ": " << told({e}) << " after " << to_string(at_last->second));
      last[{e.provider, e.interval}] = e.end;
    }
    // And a checkpoint anywhere changes nothing.
    run y{rules};
    for (auto& s : log) y.take(s), y.stop_and_load();
    if (y.records != x.records) CAF_ERROR("seed " << seed << ": a checkpoint makes a difference");
  }
}
