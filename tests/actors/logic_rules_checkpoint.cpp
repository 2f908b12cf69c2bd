// Rules as bytes, their change while signals are made, and going on from a checkpoint.
#define CAF_SUITE rules_checkpoint

#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"

#include <limits>

using namespace finstream;
using namespace finstream::test;

namespace {

std::vector<std::int64_t> fed(rule_stage& stage, std::int64_t n, double rsi) {
  stage.on_features(vector_at(n, {{"rsi_14", rsi}}));
  return bars_of(stage.take_output());
}

} // namespace

CAF_TEST(rules are read back as they were saved) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 200; ++i) {
    auto book = random_book(random);
    auto back = rule_book::load(book.save());
    CAF_REQUIRE(back.has_value());
    CAF_CHECK(*back == book);
  }
}

CAF_TEST(rules that make no sense are refused and stop nothing) {
  auto why = [](const rule_book& book) {
    auto x = rule_book::load(book.save());
    CAF_CHECK(!x && x.error().code == errc::corrupt_record);
    return x ? "" : x.error().message;
  };
  CAF_CHECK_EQUAL(why(book_of({rule_of("a", "rsi > 1"), rule_of("a", "rsi > 2")})),
                  "the signal rules in the log cannot be read");
  CAF_CHECK_EQUAL(why(book_of({rule_of("a", "rsi >")})), "the signal rule `a` in the log cannot be used: column 6 of "
                                                         "`rsi >`: it ends too early: something must follow");
  CAF_CHECK(why(book_of({rule_of("a", "nothing > 1")})).starts_with("the signal rule `a` in the log cannot be used"));
  auto bad = rule_of("a", "rsi > 1");
  bad.cooldown = -1;
  why(book_of({bad}));
  bad.cooldown = 0, bad.signal = std::numeric_limits<double>::infinity();
  why(book_of({bad}));
  bad.signal = 0, bad.emit = static_cast<emit_when>(2);
  why(book_of({bad}));
  CAF_CHECK(rule_book::load("").error().code == errc::incompatible);
  auto bytes = book_of({}).save();
  bytes[0] = 9;
  CAF_CHECK(rule_book::load(bytes).error().code == errc::incompatible);
}

CAF_TEST(changed bytes of rules are refused or are rules that can be used) {
  std::mt19937_64 random{2};
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = random_book(random).save();
    for (auto n = 1 + random() % 3; n != 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (auto loaded = rule_book::load(bytes)) rule_stage{*loaded};
  }
  CAF_CHECK(true); // nothing has crashed
}

CAF_TEST(the same vectors give the same bytes) {
  std::mt19937_64 random{4};
  auto book = random_book(random);
  auto vectors = random_vectors(random, 2000);
  rule_stage a{book}, b{book};
  for (auto& x : vectors) a.on_features(x), b.on_features(x);
  auto bytes = bytes_of(a.take_output());
  CAF_CHECK(bytes == bytes_of(b.take_output()));
  CAF_CHECK(a.save() == b.save());
}

CAF_TEST(the order in which series come changes no signal) {
  std::mt19937_64 random{5};
  auto book = random_book(random);
  std::map<std::string, std::vector<signal>> by_series, apart;
  std::map<std::string, rule_stage> stages;
  rule_stage together{book};
  for (auto& x : random_vectors(random, 2000)) {
    auto name = x.provider + "|" + x.symbol;
    together.on_features(x);
    for (auto& made : together.take_output()) by_series[name].push_back(made);
    auto& alone = stages.try_emplace(name, book).first->second;
    alone.on_features(x);
    for (auto& made : alone.take_output()) apart[name].push_back(made);
  }
  CAF_CHECK(by_series == apart);
}

CAF_TEST(stopping at every vector gives the same bytes as not stopping) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    std::mt19937_64 random{seed};
    auto book = random_book(random);
    rule_stage straight{book}, stopping{book};
    std::size_t signals = 0;
    for (auto& x : random_vectors(random, 300)) {
      if (random() % 50 == 0) {
        book = random_book(random);
        straight.on_rules(book), stopping.on_rules(book);
      }
      straight.on_features(x), stopping.on_features(x);
      auto out = straight.take_output();
      signals += out.size();
      CAF_CHECK(bytes_of(out) == bytes_of(stopping.take_output()));
      auto saved = stopping.save();
      auto loaded = rule_stage::load(saved);
      CAF_REQUIRE(loaded.has_value());
      stopping = std::move(*loaded);
      CAF_CHECK(stopping.save() == saved);
      CAF_CHECK(straight.save() == saved);
    }
    CAF_CHECK(signals > 0);
  }
}

CAF_TEST(a rule that stays as it was goes on and another begins anew) {
  auto edge = rule_of("edge", "rsi > 70"), other = rule_of("other", "rsi > 10");
  edge.cooldown = 5 * second;
  rule_stage stage{book_of({edge})};
  CAF_CHECK_EQUAL(fed(stage, 0, 80).size(), 1u);
  auto more = book_of({other, edge});
  more.config_hash = 77;
  stage.on_rules(more);
  stage.on_features(vector_at(1, {{"rsi_14", 80.0}}));
  auto out = stage.take_output(); // of `edge` it is no edge any more
  CAF_REQUIRE_EQUAL(out.size(), 1u);
  CAF_CHECK_EQUAL(out[0].name, "other");
  CAF_CHECK_EQUAL(out[0].config_hash, 77u);
  CAF_CHECK_EQUAL(fed(stage, 2, 20).size(), 0u);
  CAF_CHECK_EQUAL(fed(stage, 3, 80).size(), 0u); // the cooldown goes on, too
  edge.score = 0.9;
  stage.on_rules(book_of({edge}));
  CAF_CHECK_EQUAL(fed(stage, 4, 80).size(), 1u); // another rule now
}

CAF_TEST(no change of the rules makes an old vector new) {
  rule_stage stage{book_of({rule_of("a", "rsi > 70")})};
  CAF_CHECK_EQUAL(fed(stage, 5, 80).size(), 1u);
  stage.on_rules(book_of({rule_of("b", "rsi > 70")}));
  CAF_CHECK_EQUAL(fed(stage, 5, 80).size(), 0u);
  CAF_CHECK_EQUAL(fed(stage, 6, 80).size(), 1u);
}

CAF_TEST(no rules make no signals and can be followed by some) {
  rule_stage stage{book_of({})};
  CAF_CHECK(fed(stage, 0, 80).empty());
  auto loaded = rule_stage::load(stage.save());
  CAF_REQUIRE(loaded.has_value());
  loaded->on_rules(book_of({rule_of("a", "rsi > 70")}));
  CAF_CHECK_EQUAL(fed(*loaded, 1, 80).size(), 1u);
}

CAF_TEST(times at the ends of what can be said are compared rightly) {
  auto rule = rule_of("a", "close > 0");
  rule.emit = emit_when::level, rule.cooldown = second;
  rule_stage stage{book_of({rule})};
  auto x = vector_at(0, {});
  for (auto end : {earliest, earliest + 1, timestamp{std::numeric_limits<std::int64_t>::max()}}) {
    x.end = end;
    stage.on_features(x);
    auto loaded = rule_stage::load(stage.save());
    CAF_REQUIRE(loaded.has_value());
    CAF_CHECK(loaded->save() == stage.save());
  }
  CAF_CHECK_EQUAL(stage.take_output().size(), 2u);
}

CAF_TEST(a checkpoint that is cut or changed is refused or is a state that can be saved) {
  std::mt19937_64 random{6};
  rule_stage stage{random_book(random)};
  for (auto& x : random_vectors(random, 200)) stage.on_features(x);
  auto bytes = stage.save();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CAF_CHECK(!rule_stage::load(std::string_view{bytes}.substr(0, size)).has_value());
  CAF_CHECK(!rule_stage::load(bytes + '\0').has_value());
  for (int i = 0; i < 10'000; ++i) {
    auto changed = bytes;
    for (auto n = 1 + random() % 3; n != 0; --n) changed[random() % changed.size()] = static_cast<char>(random());
    auto loaded = rule_stage::load(changed);
    if (loaded) CAF_CHECK(rule_stage::load(loaded->save()).has_value());
    if (!loaded) CAF_CHECK(loaded.error().code == errc::corrupt_record || loaded.error().code == errc::incompatible);
  }
}
