// What comes of a model's recorded answers: which of them are signals.
#define CAF_SUITE answers

#include "actors/logic/answer_stage.hpp"
#include "messages/codec/msgpack.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr double sure = 0.75, unsure = 0.5;

answers said(std::vector<answer_row> rows) {
  answers x;
  x.model = "trend", x.kind = "xgboost", x.maker = 7, x.signal_name = "next_return", x.threshold = 0.6;
  x.rows = std::move(rows);
  x.schema = 5, x.config_hash = 6;
  return x;
}

// What it said at the `n`th bar.
answer_row row(std::int64_t n, std::optional<double> value, double score, const std::string& symbol = "SPY") {
  answer_row x;
  x.provider = "nyse", x.symbol = symbol, x.interval = second;
  x.start = first_start + n * second, x.end = x.start + second, x.inputs_start = x.end - 10 * second;
  x.close = {{100 * units_per_one}};
  x.inputs_revision = 2, x.first_offset = 10, x.last_offset = 19;
  x.value = value;
  if (value) x.score = score;
  x.inputs = {{"rsi", 71.5}, {"vol", std::nullopt}};
  return x;
}

std::vector<signal> signals_of(answer_stage& stage, const answers& x) {
  stage.on_answers(x);
  return stage.take_output();
}

using bars = std::vector<std::int64_t>;

} // namespace

CAF_TEST(a signal comes when a prediction becomes sure or says another value) {
  answer_stage stage;
  auto made = signals_of(stage, said({row(0, 1, unsure), row(1, 1, sure), row(2, 1, sure), row(3, -1, sure),
                                      row(4, -1, unsure), row(5, -1, 0.6), row(6, -1, 0.59)}));
  CAF_CHECK(bars_of(made) == (bars{1, 3, 5})); // 0.6 is the threshold itself
  CAF_CHECK_EQUAL(made[1].value, -1);
}

CAF_TEST(at emit level a signal comes at each bar of which the model is sure) {
  answer_stage stage;
  auto x = said({row(0, 1, sure), row(1, 1, sure), row(2, 1, unsure), row(3, 1, sure)});
  x.level = true;
  CAF_CHECK(bars_of(signals_of(stage, x)) == (bars{0, 1, 3}));
}

CAF_TEST(within the cooldown a series has no second signal and another series has its own) {
  answer_stage stage;
  auto x = said({row(0, 1, sure), row(1, -1, sure), row(1, 1, sure, "QQQ"), row(2, 1, sure), row(3, -1, sure)});
  x.cooldown = 3 * second;
  auto made = signals_of(stage, x);
  CAF_CHECK(bars_of(made) == (bars{0, 1, 3}));
  CAF_CHECK_EQUAL(made[1].symbol, "QQQ");
}

CAF_TEST(a prediction that is not defined is not sure) {
  answer_stage stage;
  CAF_CHECK(bars_of(signals_of(stage, said({row(0, 1, sure), row(1, std::nullopt, 0), row(2, 1, sure)}))) ==
            (bars{0, 2}));
}

CAF_TEST(what was passed over changes nothing) {
  answer_stage stage;
  CAF_CHECK_EQUAL(signals_of(stage, said({row(0, 1, sure)})).size(), 1u);
  auto failed = said({});
  failed.outcome = ask_outcome::failed;
  CAF_CHECK(signals_of(stage, failed).empty());
  CAF_CHECK(signals_of(stage, said({row(9, 1, sure)})).empty());
}

CAF_TEST(a bar is asked about once and an older one no more) {
  answer_stage stage;
  CAF_CHECK(bars_of(signals_of(stage, said({row(3, 1, sure), row(3, -1, sure), row(2, -1, sure), row(4, 1, sure)}))) ==
            (bars{3}));
}

CAF_TEST(another model of the same name begins anew) {
  answer_stage stage;
  auto first = signals_of(stage, said({row(0, 1, sure)}));
  auto retrained = said({row(1, 1, sure)});
  retrained.maker = 8;
  auto second_one = signals_of(stage, retrained);
  CAF_REQUIRE(first.size() == 1 && second_one.size() == 1);
  CAF_CHECK_EQUAL(second_one[0].maker, 8u);
}

CAF_TEST(a signal says what it rests on and has a name of its own) {
  answer_stage stage;
  auto made = signals_of(stage, said({row(4, -1, sure)}));
  CAF_REQUIRE_EQUAL(made.size(), 1u);
  auto& x = made[0];
  auto from = row(4, -1, sure);
  CAF_CHECK(x.provider == "nyse" && x.symbol == "SPY" && x.name == "next_return" && x.adapter == "trend");
  CAF_CHECK(x.ts == from.end && x.bar_start == from.start && x.interval == second && x.bar_revision == 2);
  CAF_CHECK(x.value == -1 && x.score == sure && x.maker == 7 && x.schema == 5 && x.config_hash == 6);
  CAF_CHECK(x.inputs_start == from.inputs_start && x.first_offset == 10 && x.last_offset == 19);
  CAF_CHECK(x.inputs == from.inputs && x.close == from.close);
  CAF_CHECK_EQUAL(x.signal_id.size(), 32u);
  auto other = said({row(4, -1, sure)});
  other.maker = 8;
  answer_stage fresh;
  CAF_CHECK(signals_of(fresh, other).at(0).signal_id != x.signal_id);
}

CAF_TEST(a stage goes on from its checkpoint as if it had never stopped) {
  std::mt19937_64 random{17};
  for (int round = 0; round < 50; ++round) {
    answer_stage one;
    std::optional<answer_stage> other;
    for (int n = 0; n < 40; ++n) {
      auto x = said({});
      x.model = random() % 2 == 0 ? "trend" : "other";
      x.maker = random() % 10 == 0 ? 8 : 7;
      x.level = random() % 3 == 0;
      x.cooldown = static_cast<nanoseconds>(random() % 3) * second;
      for (auto* symbol : {"SPY", "QQQ"})
        x.rows.push_back(row(n, random() % 8 == 0 ? std::nullopt : std::optional{random() % 2 == 0 ? 1.0 : -1.0},
                             random() % 2 == 0 ? sure : unsure, symbol));
      auto a = signals_of(one, x);
      if (other) CAF_REQUIRE(bytes_of(signals_of(*other, x)) == bytes_of(a));
      if (n == 20) other = answer_stage::load(one.save()).value();
    }
    CAF_CHECK(one.save() == other->save());
  }
}

CAF_TEST(a checkpoint that is cut or grown is refused) {
  answer_stage stage;
  CAF_CHECK(stage.is_empty());
  stage.on_answers(said({row(0, 1, sure), row(0, 1, unsure, "QQQ")}));
  CAF_CHECK(!stage.is_empty());
  auto whole = stage.save();
  for (std::size_t n = 0; n < whole.size(); ++n) CAF_CHECK(!answer_stage::load(whole.substr(0, n)));
  CAF_CHECK(!answer_stage::load(whole + "x"));
  CAF_CHECK(answer_stage::load(whole).has_value());
}

CAF_TEST(answers are read from the log as they were written) {
  auto x = said({row(0, 1, sure), row(1, std::nullopt, 0)});
  x.outcome = ask_outcome::failed, x.error = errc::timed_out, x.reason = "no answer";
  x.features_from = 4, x.features_until = 6, x.cooldown = second, x.level = true;
  auto read = answers_from_msgpack(to_msgpack(x));
  CAF_REQUIRE(read.has_value());
  CAF_CHECK(*read == x);
  auto bytes = to_msgpack(x);
  for (std::size_t n = 0; n < bytes.size(); ++n) CAF_CHECK(!answers_from_msgpack(std::string_view{bytes}.substr(0, n)));
}
