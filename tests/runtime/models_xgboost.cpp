#define CAF_SUITE models_xgboost

#include "tests/support/suite.hpp"

#include "tests/runtime/models_language.hpp"

#include <atomic>
#include <filesystem>
#include <iterator>
#include <limits>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

std::unique_ptr<model> opened(const std::string& name) {
  auto made = open_model(trained(name), {});
  if (!made) CAF_FAIL(made.error().message);
  return std::move(*made);
}

} // namespace

CAF_TEST(its answers are the ones of the library bit for bit in batches of any size) {
  auto rows = doubles_of(trained("xgboost.rows")), output = doubles_of(trained("xgboost.expected"));
  CAF_REQUIRE_EQUAL(output.size(), 2500u);
  for (auto name : {"xgboost.ubj", "text.json"}) {
    auto asked = opened(name);
    auto expected = expected_predictions(asked->card(), output, 1);
    for (std::size_t size : {2500u, 1u, 7u, 1025u}) {
      auto answer = predict_all(*asked, rows, size);
      CAF_REQUIRE(answer);
      CAF_CHECK(same(*answer, expected));
    }
  }
}

CAF_TEST(it says what it is) {
  auto asked = opened("xgboost.ubj");
  CAF_CHECK_EQUAL(asked->name(), "xgboost");
  CAF_CHECK(asked->kind() == model_kind::xgboost);
  CAF_CHECK_EQUAL(asked->hash(), hash_text(bytes_of(trained("xgboost.ubj"))));
  CAF_CHECK_EQUAL(asked->features(), (std::vector<std::string>{"ret_1m", "vol_5m", "rsi"}));
  CAF_CHECK(asked->health().ready);
}

CAF_TEST(neither to open nor to ask it starts a thread) {
  auto threads = [] {
    std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
  };
  auto before = threads();
  auto asked = opened("xgboost.ubj");
  CAF_CHECK_EQUAL(threads(), before);
  // On a thread that did not open it, as an actor's is.
  decltype(before) meanwhile = 0;
  std::thread{[&] {
    if (predict_all(*asked, doubles_of(trained("xgboost.rows")), 2500)) meanwhile = threads();
  }}.join();
  CAF_CHECK_EQUAL(meanwhile, before + 1);
}

CAF_TEST(nulls and infinities go to it as missing) {
  auto asked = opened("xgboost.ubj");
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  auto nan = std::nan("");
  auto answer = asked->predict({3, {nan, 0.01, 50, infinity, 0.01, 50, -infinity, 0.01, 50}}, within(patience));
  CAF_REQUIRE(answer);
  CAF_CHECK((*answer)[0].defined());
  CAF_CHECK_EQUAL((*answer)[0].score, (*answer)[1].score);
  CAF_CHECK_EQUAL((*answer)[0].score, (*answer)[2].score);
}

CAF_TEST(a model that gives a number is asked for one) {
  auto answer = opened("number.ubj")->predict({3, {0.02, 0.01, 50, -0.02, 0.01, 50}}, within(patience));
  CAF_REQUIRE(answer);
  CAF_CHECK((*answer)[0].defined() && (*answer)[1].defined());
  CAF_CHECK_GREATER((*answer)[0].value * (*answer)[0].score, (*answer)[1].value * (*answer)[1].score);
}

CAF_TEST(a deadline that has passed is an error and the next call answers) {
  auto asked = opened("xgboost.ubj");
  auto late = asked->predict({3, {0, 0, 0}}, within(-1));
  CAF_REQUIRE(!late);
  CAF_CHECK(late.error().code == errc::timed_out);
  // Too short for so many rows, even for a small model: it stops between two blocks.
  auto rows = doubles_of(trained("xgboost.rows"));
  auto hasty = asked->predict({3, rows}, within(20'000));
  CAF_REQUIRE(!hasty);
  CAF_CHECK(hasty.error().code == errc::timed_out);
  CAF_CHECK(asked->predict({3, {0, 0, 0}}, within(patience)));
}

CAF_TEST(rows of another width and batches over a limit are refused) {
  auto asked = opened("xgboost.ubj");
  for (auto& rows : {model_batch{2, {0, 0}}, model_batch{3, {0, 0}}, model_batch{0, {}}}) {
    auto refused = asked->predict(rows, within(patience));
    CAF_REQUIRE(!refused);
    CAF_CHECK(refused.error().code == errc::invalid_argument);
  }
  auto large = asked->predict({3, std::vector<double>(3 * (max_batch_rows + 1))}, within(patience));
  CAF_REQUIRE(!large);
  CAF_CHECK(large.error().code == errc::overloaded);
  auto none = asked->predict({3, {}}, within(patience));
  CAF_REQUIRE(none);
  CAF_CHECK(none->empty());
}

CAF_TEST(of two calls at once each is answered or refused and none is wrong) {
  auto asked = opened("xgboost.ubj");
  auto rows = doubles_of(trained("xgboost.rows"));
  auto expected = expected_predictions(asked->card(), doubles_of(trained("xgboost.expected")), 1);
  std::atomic<int> wrong{0}, answered{0};
  auto ask = [&] {
    for (int i = 0; i < 50; ++i) {
      auto answer = asked->predict({3, rows}, within(patience));
      if (answer ? !same(*answer, expected) : answer.error().code != errc::overloaded) ++wrong;
      answered += answer.has_value();
    }
  };
  std::thread other{ask};
  ask();
  other.join();
  CAF_CHECK_EQUAL(wrong.load(), 0);
  CAF_CHECK_GREATER(answered.load(), 0);
}

CAF_TEST(a file that is no model or not the one of its card is refused) {
  refuses(trained("garbage.ubj"), errc::config_invalid, "it is neither JSON nor UBJ");
  refuses(trained("cut.ubj"), errc::config_invalid, "cannot be used");
  refuses(trained("renamed.ubj"), errc::config_invalid, "its feature 2 is \"vol_5m\", and its card says \"rsi\"");
  refuses(trained("narrow.ubj"), errc::config_invalid, "it was trained on 3 features, and its card names 2");
  refuses(trained("three_classes.ubj"), errc::config_invalid, "is not 3 probabilities");
  refuses(trained("number_as_probability.ubj"), errc::config_invalid, "its objective is reg:squarederror");
}
