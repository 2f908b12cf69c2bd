// Whatever came late or was revised: the last vectors are those of the final bars in order.
#define CAF_SUITE features_revisions

#include "tests/support/feature_random.hpp"
#include "tests/support/suite.hpp"

#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

using bar_place = std::pair<std::string, std::int64_t>;

// What a vector says, without where it has it from: that may change unsaid.
feature_vector said_by(feature_vector x) {
  x.revision = x.inputs_revision = 0;
  x.first_offset = x.last_offset = 0;
  for (auto& v : x.values) v.inputs_revision = 0;
  return x;
}

// The last vector of each bar. Revisions of one must count up from 0.
std::map<bar_place, feature_vector> last_of(const std::vector<feature_vector>& vectors) {
  std::map<bar_place, feature_vector> out;
  for (auto& x : vectors) {
    bar_place place{x.symbol, x.start.ns};
    auto at = out.find(place);
    CAF_CHECK_EQUAL(x.revision, at == out.end() ? 0 : at->second.revision + 1);
    if (at != out.end()) CAF_CHECK(said_by(x) != said_by(at->second));
    out[place] = x;
  }
  return out;
}

} // namespace

CAF_TEST(a revised bar changes the vectors that reach it and no others) {
  feature_stage stage{rules_of({over_bars("momentum_abs", 2)}, 10 * second)};
  auto x = vectors_of(stage, {bar_of(0, "1"), bar_of(1, "2"), bar_of(2, "4"), bar_of(3, "8"), bar_of(4, "16")});
  CAF_CHECK_EQUAL(told(x), "null? null? 3 6 12");
  x = vectors_of(stage, {revised(bar_of(1, "3"), 1)});
  CAF_CHECK_EQUAL(told(x), "null? 5"); // its own, whose close is another, and that of second 3
  CAF_CHECK(x.at(0).start == timestamp{1 * second} && x.at(1).start == timestamp{3 * second});
  CAF_CHECK_EQUAL(x.at(1).revision, 1u);
  CAF_CHECK_EQUAL(x.at(1).inputs_revision, 1u);
  CAF_CHECK_EQUAL(x.at(1).values[0].inputs_revision, 1u);
  x = vectors_of(stage, {revised(bar_of(1, "2.5"), 2), bar_of(5, "32")});
  CAF_CHECK_EQUAL(told(x), "null? 5.5 24");
  CAF_CHECK_EQUAL(x.at(1).revision, 2u);
  CAF_CHECK_EQUAL(x.at(2).revision, 0u);
  CAF_CHECK_EQUAL(x.at(2).inputs_revision, 0u); // it does not reach the revised bar
}

CAF_TEST(a late bar has a vector of its own and changes those behind it) {
  feature_stage stage{rules_of({over_bars("rsi", 2)}, 10 * second)};
  vectors_of(stage, {bar_of(1, "10"), bar_of(3, "12"), bar_of(4, "11")});
  auto x = vectors_of(stage, {bar_of(2, "14"), bar_of(0, "9")});
  CAF_REQUIRE_EQUAL(x.size(), 8u);
  CAF_CHECK(x.at(0).start == timestamp{2 * second} && x.at(0).revision == 0);
  CAF_CHECK(x.at(1).start == timestamp{3 * second} && x.at(1).revision == 1);
  CAF_CHECK(x.at(3).start == timestamp{0} && x.at(3).revision == 0);
  CAF_CHECK(x.at(7).start == timestamp{4 * second} && x.at(7).revision == 2);
  CAF_CHECK_EQUAL(x.at(7).values[0].n, 5u);
  CAF_CHECK(x.at(7).values[0].window_start == timestamp{0}); // since the series began
}

CAF_TEST(equal content makes no vector) {
  feature_stage stage{rules_of({over_bars("vol", 2), over_bars("rsi", 2)}, 10 * second)};
  std::vector<bar> bars{bar_of(0, "1"), bar_of(1, "2"), bar_of(2, "4"), bar_of(3, "8")};
  vectors_of(stage, bars);
  CAF_CHECK(vectors_of(stage, bars).empty());
  CAF_CHECK(vectors_of(stage, {revised(bars[1], 1), revised(bars[3], 1)}).empty());
  auto more = bars[2]; // its volume is in no window
  more.volume.units += units_per_one;
  CAF_CHECK(vectors_of(stage, {revised(more, 1)}).empty());
  auto x = vectors_of(stage, {bar_of(4, "16")});
  CAF_CHECK_EQUAL(x.at(0).inputs_revision, 1u); // but the revisions count
}

CAF_TEST(a lower revision changes nothing) {
  feature_stage stage{rules_of({over_bars("ohlcv", 1)}, 10 * second)};
  vectors_of(stage, {bar_of(0, "1"), bar_of(1, "2"), revised(bar_of(0, "3"), 2)});
  CAF_CHECK(vectors_of(stage, {bar_of(0, "5"), revised(bar_of(0, "5"), 1)}).empty());
}

CAF_TEST(a bar older than may be revised is passed over) {
  feature_stage stage{rules_of({over_bars("ohlcv", 3)}, 2 * second)};
  vectors_of(stage, {bar_of(0, "1"), bar_of(2, "2"), bar_of(3, "2"), bar_of(4, "2")});
  auto before = stage.save();
  CAF_CHECK(vectors_of(stage, {bar_of(1, "7"), revised(bar_of(0, "3"), 1)}).empty());
  CAF_CHECK(stage.save() == before);
  CAF_CHECK(!vectors_of(stage, {revised(bar_of(2, "3"), 1)}).empty());
}

CAF_TEST(in whatever order bars come the last vectors are those of the final bars) {
  std::size_t published_again = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_feature_rules(random);
    auto bars = make_random_bars(random, rules.revise_for, 30 + static_cast<int>(random() % 60));
    auto came = vectors_of(rules, bars.arrivals), batch = vectors_of(rules, bars.in_the_end);
    auto last = last_of(came), wanted = last_of(batch);
    published_again += came.size() - last.size();
    CAF_REQUIRE_EQUAL(last.size(), wanted.size());
    for (auto& [place, x] : wanted)
      if (said_by(last.at(place)) != said_by(x))
        CAF_ERROR("seed " << seed << ": another vector of " << place.first << " at "
                          << to_string(timestamp{place.second}));
  }
  CAF_CHECK(published_again > 1000);
}

CAF_TEST(duplicates of bars in any place change nothing) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_feature_rules(random);
    auto bars = make_random_bars(random, rules.revise_for, 40);
    feature_stage once{rules}, twice{rules};
    std::vector<bar> seen;
    for (auto& x : bars.arrivals) {
      auto a = vectors_of(once, {x}), b = vectors_of(twice, {x});
      CAF_CHECK(a == b);
      seen.push_back(x);
      // Of a version that has been replaced since, the duplicate is older.
      if (random() % 2 == 0) CAF_CHECK(vectors_of(twice, {seen[random() % seen.size()]}).empty());
    }
    CAF_CHECK(once.save() == twice.save());
  }
}

CAF_TEST(only the revisions of bars that count are told) {
  auto rules = rules_of({over_bars("momentum", 2), over_bars("vwap", 2), over_bars("vol", 2), over_bars("rsi", 2)});
  auto of = [](int at) { return revised(bar_of(at, "1"), static_cast<std::uint32_t>(at + 1)); };
  auto x = vectors_of(rules, {of(5), bar_of(6, "2"), of(2), of(7), bar_of(8, "2"), bar_of(9, "2")});
  CAF_REQUIRE_EQUAL(x.size(), 5u);
  std::string told;
  for (auto& v : x.back().values) told += std::to_string(v.inputs_revision) + " ";
  CAF_CHECK_EQUAL(told, "8 0 8 8 "); // against second 7; seconds 8 and 9; 7, 8 and 9; all
  CAF_CHECK_EQUAL(x.back().inputs_revision, 8u);
  CAF_CHECK_EQUAL(x.at(3).values[0].inputs_revision, 0u); // second 8 against second 6: the bar between does not count
}

CAF_TEST(at the edge of memory a bar cannot be revised) {
  auto rules = rules_of({over_bars("rsi", 2)}, 10 * second);
  rules.max_bars = 3;
  feature_stage stage{rules};
  vectors_of(stage, {bar_of(0, "1"), bar_of(1, "2"), bar_of(3, "4"), bar_of(5, "3"), bar_of(6, "5")});
  auto before = stage.save();
  CAF_CHECK(vectors_of(stage, {revised(bar_of(3, "7"), 1), bar_of(2, "7"), revised(bar_of(0, "7"), 1)}).empty());
  CAF_CHECK(stage.save() == before);
  CAF_CHECK_EQUAL(vectors_of(stage, {revised(bar_of(5, "7"), 1)}).size(), 2u);
}

CAF_TEST(a longer time for revisions begins when it is said) {
  feature_stage stage{rules_of({over("vwap_9s", 9 * second), over_bars("rsi", 2)}, 1 * second)};
  std::vector<bar> bars;
  for (int i = 0; i < 9; ++i) bars.push_back(bar_of(i, std::to_string(i * i + 1)));
  vectors_of(stage, {bars.begin(), bars.begin() + 7});
  stage.on_rules(rules_of({over("vwap_9s", 9 * second), over_bars("rsi", 2)}, 8 * second));
  CAF_CHECK(vectors_of(stage, {revised(bar_of(2, "90"), 1)}).empty()); // what followed it is not known any more
  CAF_CHECK_EQUAL(vectors_of(stage, {revised(bar_of(5, "90"), 1)}).size(), 2u);
  bars[5] = bar_of(5, "90");
  auto last = vectors_of(stage, {bars[7], revised(bar_of(5, "26"), 2), bars[8]});
  bars[5] = bar_of(5, "26");
  auto batch = vectors_of(stage.rules(), bars);
  CAF_CHECK_EQUAL(last.size(), 5u);
  CAF_CHECK(said_by(last.back()) == said_by(batch.back()));
}

// The horizons' history has to outlive the time in which bars may be revised, and nothing more.
CAF_TEST(what is kept does not grow) {
  std::mt19937_64 random{1};
  auto rules = rules_of({over("vol_5s", 5 * second), over_bars("rsi", 3)}, 4 * second);
  feature_stage stage{rules};
  std::size_t largest = 0;
  for (int i = 0; i < 1000; ++i) {
    stage.on_bar(random_bar(random, i, "SPY", 0));
    if (i > 100) largest = std::max(largest, stage.save().size());
  }
  CAF_CHECK(largest < 11 * 60 + 6 * 40 + 200); // bars, strengths, rules
}
