#define CAF_SUITE backfill_features

#include "actors/logic/backfill_features.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

feature_rules windows_of(std::vector<feature_window> windows) {
  feature_rules x;
  x.interval = second;
  x.windows = std::move(windows);
  return x;
}

bar bar_at(std::int64_t n, std::int64_t close, std::uint32_t revision = 0) {
  bar x;
  x.provider = "nyse", x.symbol = "SPY", x.interval = second;
  x.start = first_start + n * second, x.end = x.start + second;
  x.open.units = x.high.units = x.low.units = x.close.units = close * units_per_one;
  x.volume.units = units_per_one;
  x.traded = multiply(x.close, x.volume);
  x.trades = 1;
  x.revision = revision;
  return x;
}

} // namespace

CAF_TEST(vectors that a healed bar changes are revised and those beyond its reach are not ) {
  feature_window momentum;
  momentum.name = "momentum", momentum.kind = feature_kind::momentum, momentum.bars = 3;
  auto rules = windows_of({momentum});
  CAF_CHECK_EQUAL(reach_of(rules).bars, 4u);
  std::vector<bar> bars;
  for (int n = 0; n < 12; ++n) bars.push_back(bar_at(n, 100 + n * n));
  std::map<timestamp, feature_vector> published;
  feature_stage before{rules};
  for (auto& x : bars) {
    before.on_bar(x);
    for (auto& vector : before.take_output()) published.emplace(vector.start, vector);
  }
  auto none = heal_features(rules, nullptr, bars, published, bars.front().start, bars.back().end);
  CAF_CHECK(none.vectors.empty());
  bars[5] = bar_at(5, 500, 1);
  auto healed = heal_features(rules, nullptr, bars, published, bars[5].start, bars.back().end);
  std::vector<std::int64_t> at;
  for (auto& x : healed.vectors) {
    at.push_back((x.start - first_start) / second);
    CAF_CHECK_EQUAL(x.revision, 1u);
  }
  CAF_CHECK_EQUAL(at, (std::vector<std::int64_t>{5, 8}));
}

CAF_TEST(only a vector that was not there makes a signal) {
  feature_window momentum;
  momentum.name = "mom_10", momentum.kind = feature_kind::momentum, momentum.bars = 1;
  auto rules = windows_of({momentum});
  auto rule = rule_of("up", "mom > 0");
  rule.emit = emit_when::level;
  auto book = book_of({rule});
  std::vector<bar> bars;
  for (int n = 0; n < 8; ++n) bars.push_back(bar_at(n, 100 + n));
  std::map<timestamp, feature_vector> published;
  feature_stage before{rules};
  for (auto& x : bars) {
    if (x.start == bars[4].start) continue;
    before.on_bar(x);
    for (auto& vector : before.take_output()) published.emplace(vector.start, vector);
  }
  auto healed = heal_features(rules, &book, bars, published, bars[4].start, bars.back().end);
  CAF_CHECK_EQUAL(bars_of(healed.signals), (std::vector<std::int64_t>{4}));
  CAF_REQUIRE(!healed.vectors.empty());
  CAF_CHECK_EQUAL(healed.vectors[0].revision, 0u);
  CAF_CHECK_EQUAL(healed.vectors.size(), 2u); // its own, and the one behind it
}

CAF_TEST(what comes live rests on bars that were healed) {
  feature_window momentum, vwap, rsi;
  momentum.name = "momentum", momentum.kind = feature_kind::momentum, momentum.bars = 5;
  vwap.name = "vwap", vwap.kind = feature_kind::vwap, vwap.horizon = 8 * second;
  rsi.name = "rsi", rsi.kind = feature_kind::rsi, rsi.bars = 14; // not there as yet, but what it needs is
  auto rules = windows_of({momentum, vwap, rsi});
  auto but_strength = [](feature_vector x) { return x.values.pop_back(), x; }; // it goes on as it was
  auto last_of = [&](feature_stage& stage) {
    auto made = stage.take_output();
    return made.empty() ? feature_vector{} : but_strength(made.back());
  };
  feature_stage all{rules}, healed{rules};
  for (int n = 0; n < 12; ++n) {
    all.on_bar(bar_at(n, 100 + n * n));
    if (n == 6) continue;                               // missed
    healed.on_bar(bar_at(n, n == 7 ? 3 : 100 + n * n)); // and one that lacks events
  }
  auto all_vectors = all.take_output();
  auto published = healed.take_output();
  // The lane has seen the bars up to the tenth, and brings their vectors; it has not seen the rest.
  std::vector<derived> vectors;
  for (auto& x : all_vectors)
    if (x.start >= first_start + 6 * second && x.start < first_start + 10 * second) vectors.emplace_back(x);
  healed.on_healed({bar_at(6, 136), bar_at(7, 149, 1), bar_at(500, 1)},
                   vectors); // the last one is ahead of what is live
  for (auto& x : healed.take_output()) {
    auto n = static_cast<std::size_t>((x.start - first_start) / second);
    CAF_CHECK(n >= 10);
    CAF_CHECK_EQUAL(x.revision, 1u);
    CAF_CHECK(say_the_same(but_strength(all_vectors[n]), but_strength(x)));
    published[n - 1] = x; // one was missed
  }
  CAF_CHECK(say_the_same(but_strength(published[9]), but_strength(all_vectors[10])));
  CAF_CHECK(say_the_same(but_strength(published[10]), but_strength(all_vectors[11])));
  auto again = feature_stage::load(healed.save());
  CAF_REQUIRE(again.has_value());
  for (int n = 12; n < 16; ++n) {
    all.on_bar(bar_at(n, 100 + n)), again->on_bar(bar_at(n, 100 + n));
    auto wanted = last_of(all), got = last_of(*again);
    CAF_REQUIRE(!got.values.empty());
    CAF_CHECK(say_the_same(wanted, got));
  }
}

CAF_TEST(a vector that was healed is revised from there) {
  feature_window momentum;
  momentum.name = "momentum", momentum.kind = feature_kind::momentum, momentum.bars = 1;
  auto rules = windows_of({momentum});
  rules.revise_for = 60 * second;
  feature_stage stage{rules};
  for (int n = 0; n < 5; ++n) stage.on_bar(bar_at(n, 100 + n));
  feature_vector vector = stage.take_output().back();
  vector.revision = 3;
  stage.on_healed({bar_at(4, 120, 1)}, {vector});
  CAF_CHECK(stage.take_output().empty());
  stage.on_bar(bar_at(4, 130, 2));
  auto revised = stage.take_output();
  CAF_REQUIRE_EQUAL(revised.size(), 1u);
  CAF_CHECK_EQUAL(revised[0].revision, 4u);
}

CAF_TEST(bars healed ahead of the newest one come before the next that is newer) {
  feature_window momentum;
  momentum.name = "momentum", momentum.kind = feature_kind::momentum, momentum.bars = 2;
  auto rules = windows_of({momentum});
  rules.revise_for = 60 * second;
  feature_stage all{rules}, healed{rules};
  for (auto* stage : {&all, &healed})
    for (int n = 0; n < 4; ++n) stage->on_bar(bar_at(n, 100 + n));
  for (int n : {5, 6, 8}) all.on_bar(bar_at(n, 100 + n * n));
  auto wanted = all.take_output();
  auto known = wanted[5]; // of the sixth second, which is healed before the fifth comes
  known.revision = 2;
  healed.on_healed({bar_at(6, 136)}, {known});
  auto again = feature_stage::load(healed.save());
  CAF_REQUIRE(again.has_value());
  again->on_bar(bar_at(5, 125)), again->on_bar(bar_at(8, 164));
  auto got = again->take_output();
  CAF_REQUIRE_EQUAL(got.size(), 2u);
  CAF_CHECK(say_the_same(wanted[4], got[0]));
  CAF_CHECK(say_the_same(wanted[6], got[1]));
  again->on_bar(bar_at(6, 137, 1));
  auto revised = again->take_output();
  CAF_REQUIRE(!revised.empty());
  CAF_CHECK_EQUAL(revised[0].revision, 3u);
}

CAF_TEST(what comes first of a source that was never live rests on what was healed) {
  feature_window momentum, rsi;
  momentum.name = "momentum", momentum.kind = feature_kind::momentum, momentum.bars = 2;
  rsi.name = "rsi", rsi.kind = feature_kind::rsi, rsi.bars = 2;
  auto rules = windows_of({momentum, rsi});
  feature_stage all{rules}, healed{rules};
  std::vector<derived> past;
  for (int n = 0; n < 3; ++n) all.on_bar(bar_at(n, 100 + n * n)), past.emplace_back(bar_at(n, 100 + n * n));
  all.take_output();
  healed.on_healed(past, {});
  CAF_CHECK(healed.take_output().empty());
  healed.on_rules(windows_of({rsi, momentum})); // nothing is live, and it stands
  healed.on_rules(rules);
  auto again = feature_stage::load(healed.save());
  CAF_REQUIRE(again.has_value());
  for (int n = 3; n < 5; ++n) all.on_bar(bar_at(n, 100 + n)), again->on_bar(bar_at(n, 100 + n));
  auto wanted = all.take_output(), got = again->take_output();
  CAF_REQUIRE_EQUAL(got.size(), 2u);
  CAF_CHECK(say_the_same(wanted[0], got[0]));
  CAF_CHECK(say_the_same(wanted[1], got[1]));
}
