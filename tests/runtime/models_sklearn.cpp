#define CAF_SUITE models_sklearn

#include "tests/support/suite.hpp"

#include "actors/logic/restart_policy.hpp"
#include "tests/runtime/models_worker.hpp"

#include <csignal>
#include <filesystem>

using namespace finstream;
using namespace finstream::test;

namespace {

std::unique_ptr<model> opened(const std::string& path, worker_options options = real_worker()) {
  auto made = open_model(path, std::move(options));
  if (!made) CAF_FAIL(made.error().message);
  return std::move(*made);
}

} // namespace

CAF_TEST(its answers are the ones of the library bit for bit in batches of any size and after a kill) {
  worker_world world;
  auto asked = opened(trained("sklearn.pkl"), world.noting_worker());
  auto rows = doubles_of(trained("sklearn.rows"));
  auto expected = expected_predictions(asked->card(), doubles_of(trained("sklearn.expected")), 2);
  CAF_REQUIRE_EQUAL(expected.size(), 2500u);
  auto all_the_same = [&] {
    for (std::size_t size : {2500u, 100u, 999u}) {
      auto answer = predict_all(*asked, rows, size);
      CAF_REQUIRE(answer);
      CAF_CHECK(same(*answer, expected));
    }
  };
  all_the_same();
  auto first = world.pid();
  kill(first, SIGKILL);
  CAF_REQUIRE(world.wait_until([&] { return asked->health().starts == 2; }));
  CAF_CHECK(world.pid() != first);
  all_the_same();
}

CAF_TEST(a row with a null has no answer and the others have theirs) {
  auto asked = opened(trained("sklearn.pkl"));
  auto nan = std::nan("");
  std::vector<double> some{0.01, 0.01, 50};
  auto alone = asked->predict({3, some}, within(patience));
  auto answer =
    asked->predict({3, {nan, 0, 0, 0.01, 0.01, 50, 0, 0, -std::numeric_limits<double>::infinity()}}, within(patience));
  CAF_REQUIRE(alone && answer);
  CAF_CHECK(!(*answer)[0].defined() && !(*answer)[2].defined());
  CAF_CHECK((*answer)[1].defined() && (*answer)[1].score == (*alone)[0].score);
  auto none = asked->predict({3, {nan, nan, nan}}, within(patience));
  CAF_CHECK(none && !(*none)[0].defined());
}

CAF_TEST(killed in the middle of a request it is an error and then it answers again) {
  worker_world world;
  auto asked = opened(trained("sklearn.pkl"), world.noting_worker());
  auto worker = world.pid();
  kill(worker, SIGSTOP); // so that the request is under way for as long as the test wants
  std::thread killer{[&] {
    pause(200 * millisecond);
    kill(worker, SIGKILL);
  }};
  auto answer = asked->predict({3, {0.01, 0.01, 50}}, within(patience));
  killer.join();
  CAF_REQUIRE(!answer);
  CAF_CHECK_EQUAL(sentence(answer.error()), "io_failure: model sklearn: the worker ended: killed by SIGKILL");
  CAF_REQUIRE(world.wait_until([&] { return asked->health().ready; }));
  CAF_CHECK(asked->predict({3, {0.01, 0.01, 50}}, within(patience)));
}

CAF_TEST(beyond its deadline a request is an error and the worker that hung is replaced) {
  worker_world world;
  auto asked = opened(trained("sklearn.pkl"), world.noting_worker());
  auto worker = world.pid();
  kill(worker, SIGSTOP);
  auto began = system_clock().monotonic();
  auto answer = asked->predict({3, {0.01, 0.01, 50}}, within(100 * millisecond));
  auto took = system_clock().monotonic() - began;
  CAF_REQUIRE(!answer);
  CAF_CHECK(answer.error().code == errc::timed_out);
  CAF_CHECK_GREATER(took, 100 * millisecond - 1);
  CAF_CHECK_LESS(took, 10 * second);
  // At once, while the next is being started.
  auto meanwhile = asked->predict({3, {0.01, 0.01, 50}}, within(patience));
  CAF_CHECK(!meanwhile && meanwhile.error().code == errc::io_failure);
  CAF_REQUIRE(world.wait_until([&] { return asked->health().ready; }));
  CAF_CHECK(world.is_gone(worker));
  CAF_CHECK(asked->predict({3, {0.01, 0.01, 50}}, within(patience)));
}

CAF_TEST(a file replaced under a running node is not run by the next worker) {
  worker_world world;
  auto path = world.copy_model();
  auto asked = opened(path, world.noting_worker(3));
  std::filesystem::copy_file(trained("noted.pkl"), path, std::filesystem::copy_options::overwrite_existing);
  std::ofstream{path, std::ios::app} << "x";
  kill(world.pid(), SIGKILL);
  CAF_REQUIRE(world.wait_until([&] { return asked->health().trouble.find("no other") != std::string::npos; }));
  auto trouble = asked->health().trouble;
  if (trouble.find("its card says") == std::string::npos) CAF_ERROR(trouble);
}

CAF_TEST(a file that is no model or not the one of its card is refused) {
  refuses(trained("garbage_pickle.pkl"), errc::config_invalid, "the model cannot be used");
  refuses(trained("renamed_pickle.pkl"), errc::config_invalid, "feature 2 is \"vol_5m\", and its card says \"rsi\"");
  refuses(trained("nulls_pickle.pkl"), errc::config_invalid, "NaN");
  auto noted = opened(trained("noted.pkl"));
  CAF_CHECK_EQUAL(noted->name(), "noted");
  // The predictor of classes gives their numbers where a number is wanted.
  auto number = opened(trained("as_number.pkl"))->predict({3, {0.05, 0.01, 50}}, within(patience));
  CAF_REQUIRE(number);
  CAF_CHECK((*number)[0].value == 1 && (*number)[0].score == 1);
}

CAF_TEST(what a model prints to standard output does not come between the frames) {
  auto asked = opened(trained("chatty.pkl"));
  for (int i = 0; i < 3; ++i) CAF_CHECK(asked->predict({3, {0.01, 0.01, 50}}, within(patience)));
  CAF_CHECK_EQUAL(asked->health().starts, 1u);
}

CAF_TEST(without the script or the interpreter it cannot be opened) {
  auto options = real_worker();
  options.script = "/nowhere/worker.py";
  CAF_CHECK(!open_model(trained("sklearn.pkl"), options));
  options.python = "/nowhere/python3";
  auto none = open_model(trained("sklearn.pkl"), options);
  CAF_REQUIRE(!none);
  CAF_CHECK(none.error().code == errc::start_failed);
}
