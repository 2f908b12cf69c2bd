// When a rule gives a signal, and what is in it.
#define CAF_SUITE rules

#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"

#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

using numbers = std::vector<std::int64_t>;

// The bars with a signal, of one rule and one series whose rsi is this at each bar.
numbers signals_for(const signal_rule& rule, const std::vector<std::optional<double>>& rsi) {
  rule_stage stage{book_of({rule})};
  for (std::size_t i = 0; i < rsi.size(); ++i)
    stage.on_features(vector_at(static_cast<std::int64_t>(i), {{"rsi_14", rsi[i]}}));
  return bars_of(stage.take_output());
}

signal_rule over_70(emit_when emit = emit_when::edge, nanoseconds cooldown = 0) {
  auto x = rule_of("over", "rsi > 70");
  x.emit = emit;
  x.cooldown = cooldown;
  return x;
}

} // namespace

CAF_TEST(an edge is a condition that becomes true) {
  CAF_CHECK_EQUAL(signals_for(over_70(), {50, 80, 80, 60, 90, 90}), (numbers{1, 4}));
  CAF_CHECK_EQUAL(signals_for(over_70(), {80, 80}), (numbers{0})); // it was not true before: there was nothing
  CAF_CHECK_EQUAL(signals_for(over_70(), {70, 60}), (numbers{}));
}

CAF_TEST(a level is every vector of which it is true) {
  CAF_CHECK_EQUAL(signals_for(over_70(emit_when::level), {50, 80, 80, 60, 90}), (numbers{1, 2, 4}));
}

CAF_TEST(a value that is not defined makes it false so that the next true one is an edge) {
  CAF_CHECK_EQUAL(signals_for(over_70(), {std::nullopt, 80, std::nullopt, 80}), (numbers{1, 3}));
  CAF_CHECK_EQUAL(signals_for(rule_of("not", "!(rsi > 70)"), {std::nullopt, 80, 20}), (numbers{2}));
}

CAF_TEST(a value that is not in the vector is not defined) {
  rule_stage stage{book_of({over_70(), rule_of("cheap", "close < 1000")})};
  stage.on_features(vector_at(0, {{"other", 80.0}}));
  auto out = stage.take_output();
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  CAF_CHECK_EQUAL(out[0].name, "cheap");
  // Values may change their places.
  stage.on_features(vector_at(1, {{"other", 1.0}, {"rsi_14", 80.0}}));
  CAF_CHECK_EQUAL(stage.take_output().size(), 1u);
  stage.on_features(vector_at(2, {{"rsi_14", 20.0}, {"other", 1.0}}));
  stage.on_features(vector_at(3, {{"rsi_14", 80.0}}));
  CAF_CHECK_EQUAL(bars_of(stage.take_output()), (numbers{3}));
}

CAF_TEST(within the cooldown there is no signal and from its end on there is) {
  auto level = over_70(emit_when::level, 3 * second);
  CAF_CHECK_EQUAL(signals_for(level, {80, 80, 80, 80, 80, 80, 80}), (numbers{0, 3, 6}));
}

CAF_TEST(an edge within the cooldown is spent) {
  auto edge = over_70(emit_when::edge, 3 * second);
  CAF_CHECK_EQUAL(signals_for(edge, {80, 10, 80, 80, 80, 10, 80}), (numbers{0, 6}));
}

CAF_TEST(the cooldown counts from the last signal and not from the last edge) {
  auto edge = over_70(emit_when::edge, 4 * second);
  CAF_CHECK_EQUAL(signals_for(edge, {80, 10, 80, 10, 80, 10}), (numbers{0, 4}));
}

CAF_TEST(each series of a rule has an edge and a cooldown of its own) {
  rule_stage stage{book_of({over_70(emit_when::edge, 60 * second)})};
  std::set<std::pair<std::string, std::string>> seen;
  for (auto* symbol : {"SPY", "AAPL"})
    for (auto* provider : {"nyse", "arca"}) stage.on_features(vector_at(0, {{"rsi_14", 80.0}}, symbol, provider));
  for (auto& x : stage.take_output()) seen.emplace(x.provider, x.symbol);
  CAF_CHECK_EQUAL(seen.size(), 4u);
}

CAF_TEST(a rule with symbols is about these only and a star is only a star) {
  auto some = over_70(), star = over_70(), all = over_70();
  some.name = "some", some.symbols = {"SPY", "AAPL"};
  star.name = "star", star.symbols = {"*"};
  rule_stage stage{book_of({some, star, all})};
  std::vector<std::string> seen;
  for (auto* symbol : {"SPY", "SPYX", "AAPL", "spy"}) {
    stage.on_features(vector_at(0, {{"rsi_14", 80.0}}, symbol));
    for (auto& x : stage.take_output()) seen.push_back(x.symbol + " " + x.name);
  }
  CAF_CHECK_EQUAL(
    seen, (std::vector<std::string>{"SPY some", "SPY over", "SPYX over", "AAPL some", "AAPL over", "spy over"}));
}

CAF_TEST(a vector that comes again or is older or revised is not asked about) {
  rule_stage stage{book_of({over_70()})};
  stage.on_features(vector_at(1, {{"rsi_14", 20.0}}));
  stage.on_features(vector_at(1, {{"rsi_14", 80.0}}));
  stage.on_features(vector_at(0, {{"rsi_14", 80.0}}));
  auto revised = vector_at(2, {{"rsi_14", 80.0}});
  revised.revision = 1;
  stage.on_features(revised);
  CAF_CHECK(stage.take_output().empty());
  // What was not asked about changed nothing: this is the first true one.
  stage.on_features(vector_at(2, {{"rsi_14", 80.0}}));
  CAF_CHECK_EQUAL(stage.take_output().size(), 1u);
}

CAF_TEST(a first vector over revised bars is asked about and its signal says so) {
  rule_stage stage{book_of({over_70()})};
  auto x = vector_at(0, {{"rsi_14", 80.0}});
  x.inputs_revision = 3;
  stage.on_features(x);
  auto out = stage.take_output();
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  CAF_CHECK_EQUAL(out[0].bar_revision, 3u);
}

CAF_TEST(a signal says what it was made of) {
  rule_stage stage{book_of({rule_of("dip", "rsi < 30 && close > mom")})};
  auto x = vector_at(7, {{"mom_10", -0.5}, {"rsi_14", 20.0}});
  x.values[1].window_start = x.end - 14 * second;
  stage.on_features(x);
  auto out = stage.take_output();
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  signal expected;
  // DO NOT CHANGE THIS VALUE: ids are compared across nodes and versions.
  expected.signal_id = "b32056e09938354548673b70d5f79e4d";
  expected.provider = "nyse";
  expected.symbol = "SPY";
  expected.ts = x.end;
  expected.name = "dip";
  expected.value = 1;
  expected.score = 0.5;
  expected.adapter = "rules";
  expected.maker = rule_of("dip", "rsi < 30 && close > mom").hash();
  expected.interval = second;
  expected.bar_start = x.start;
  expected.inputs_start = x.end - 14 * second;
  expected.close = {{100 * units_per_one}};
  expected.inputs = {{"rsi", 20.0}, {"close", 100.0}, {"mom", -0.5}};
  expected.first_offset = 70;
  expected.last_offset = 79;
  expected.schema = 5;
  expected.config_hash = 6;
  CAF_CHECK_EQUAL(out[0].signal_id, expected.signal_id);
  CAF_CHECK(out[0] == expected);
}

CAF_TEST(a rule over nothing but the close rests on the bar) {
  rule_stage stage{book_of({rule_of("cheap", "close < 1000")})};
  stage.on_features(vector_at(3, {{"rsi_14", 20.0}}));
  auto out = stage.take_output();
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  CAF_CHECK(out[0].inputs_start == out[0].bar_start);
}

CAF_TEST(signals of one vector come in the order of the book) {
  rule_stage stage{book_of({rule_of("c", "rsi > 1"), rule_of("a", "rsi > 1"), rule_of("b", "rsi > 1")})};
  stage.on_features(vector_at(0, {{"rsi_14", 20.0}}));
  std::vector<std::string> names;
  for (auto& x : stage.take_output()) names.push_back(x.name);
  CAF_CHECK_EQUAL(names, (std::vector<std::string>{"c", "a", "b"}));
}

CAF_TEST(every signal has an id of its own) {
  std::mt19937_64 random{3};
  std::set<std::string> ids;
  std::size_t count = 0;
  rule_stage stage{book_of({over_70(emit_when::level), rule_of("under", "rsi < 60")})};
  for (auto& x : random_vectors(random, 5000)) stage.on_features(x);
  for (auto& x : stage.take_output()) ids.insert(x.signal_id), ++count;
  CAF_CHECK(count > 500);
  CAF_CHECK_EQUAL(ids.size(), count);
  for (auto& id : ids) CAF_CHECK_EQUAL(id.size(), 32u);
}

CAF_TEST(the hash of a rule changes with all that it says) {
  std::set<std::uint64_t> hashes{over_70().hash()};
  auto changed = [&](auto change) {
    auto x = over_70();
    change(x);
    CAF_CHECK(hashes.insert(x.hash()).second);
  };
  changed([](auto& x) { x.name = "other"; });
  changed([](auto& x) { x.condition = "rsi > 71"; });
  changed([](auto& x) { x.signal = -1; });
  changed([](auto& x) { x.score = 0.6; });
  changed([](auto& x) { x.emit = emit_when::level; });
  changed([](auto& x) { x.cooldown = 1; });
  changed([](auto& x) { x.symbols = {"A", "B"}; });
  changed([](auto& x) { x.symbols = {"A,B"}; });
  CAF_CHECK_EQUAL(over_70().hash(), over_70().hash());
}
