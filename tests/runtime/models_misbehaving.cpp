#define CAF_SUITE models_misbehaving

#include "tests/support/suite.hpp"

#include "tests/runtime/models_worker.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr const char* well = "\nwhile True: answer(request())\n";

struct misbehaving {
  explicit misbehaving(const std::string& body, int most = 100) {
    auto made = open_model(trained("noted.pkl"), world.worker("note_pid()\n" + body, most));
    if (made)
      asked = std::move(*made);
    else
      refused = made.error();
  }
  expected<std::vector<prediction>> ask(nanoseconds span = patience) {
    return asked->predict({3, {0.01, 0.01, 50}}, within(span));
  }
  bool recovers() {
    return world.wait_until([this] { return asked->health().ready; }) && ask().has_value();
  }
  worker_world world;
  std::unique_ptr<model> asked;
  failure refused;
};

// What a worker says to its first request, and what becomes of that. Its second life behaves.
void first_answer_is_an_error(const std::string& body, const std::string& words) {
  misbehaving x{"hello()\nif life == 0:\n    x = request()\n    " + body + "\n    time.sleep(1000)" + well};
  if (!x.asked) CAF_FAIL(x.refused.message);
  auto answer = x.ask();
  CAF_REQUIRE(!answer);
  CAF_CHECK(answer.error().code == errc::io_failure);
  if (answer.error().message.find(words) == std::string::npos) CAF_ERROR(answer.error().message);
  CAF_CHECK(x.recovers());
  CAF_CHECK_EQUAL(x.asked->health().starts, 2u);
}

} // namespace

CAF_TEST(a worker that answers garbage is replaced) {
  first_answer_is_an_error("write(b'Traceback (most recent call last):')", "which no frame has");
  first_answer_is_an_error("write(b'\\x00\\x00\\x00\\x00')", "a frame of 0 bytes");
  first_answer_is_an_error("write(b'\\x00\\x00\\x00\\x03abc')", "it is not one map");
  first_answer_is_an_error("write(b'\\x00\\x00\\x00\\x03\\xdf\\xff\\xff')", "its bytes are not msgpack");
  first_answer_is_an_error("send({'id': x['id'], 'outputs': [0.5, 0.5]})", "its \"outputs\" has the wrong type");
}

CAF_TEST(a worker that answers something else than it was asked is replaced) {
  first_answer_is_an_error("x['id'] += 1; answer(x)", "something else than it was asked");
  first_answer_is_an_error("send({'id': x['id'], 'outputs': b''})", "something else than it was asked");
  first_answer_is_an_error("write(frame({'id': 1, 'error': 'x'}) * 2)", "said more than it was asked");
  first_answer_is_an_error("os.close(1)", "closed its pipes");
  first_answer_is_an_error("sys.exit(3)", "exit code 3");
}

CAF_TEST(a probability that is none is an error and the worker stays) {
  misbehaving x{"hello()\nanswer(request(), 7.0)" + std::string{well}};
  CAF_REQUIRE(x.asked);
  auto answer = x.ask();
  CAF_CHECK(!answer && answer.error().code == errc::io_failure);
  CAF_CHECK(x.ask());
  CAF_CHECK_EQUAL(x.asked->health().starts, 1u);
}

CAF_TEST(what a model raises is an error and the worker stays) {
  misbehaving x{"hello()\nsend({'id': request()['id'], 'error': 'ValueError: no'})" + std::string{well}};
  CAF_REQUIRE(x.asked);
  auto answer = x.ask();
  CAF_REQUIRE(!answer);
  CAF_CHECK_EQUAL(sentence(answer.error()), "io_failure: model noted failed: ValueError: no");
  CAF_CHECK(x.ask());
  CAF_CHECK_EQUAL(x.asked->health().starts, 1u);
}

CAF_TEST(a worker that speaks without being asked is replaced) {
  misbehaving x{"hello()\nif life == 0:\n    time.sleep(0.05)\n    write(b'x')\n" + std::string{well}};
  CAF_REQUIRE(x.asked);
  CAF_CHECK(x.world.wait_until([&] { return x.asked->health().starts == 2; }));
  CAF_CHECK(x.ask());
}

CAF_TEST(a worker that neither reads nor answers is found out by the deadline also where the request fills its pipe) {
  misbehaving x{"hello()\nif life == 0: time.sleep(1000)\n" + std::string{well}};
  CAF_REQUIRE(x.asked);
  auto answer = x.asked->predict({3, std::vector<double>(3 * max_batch_rows)}, within(100 * millisecond));
  CAF_CHECK(!answer && answer.error().code == errc::timed_out);
  CAF_CHECK(x.recovers());
}

CAF_TEST(a worker that is not ready in time or greets wrongly cannot be opened) {
  worker_world world;
  auto slow = world.worker("time.sleep(1000)\n");
  slow.ready_within = 50 * millisecond;
  auto late = open_model(trained("noted.pkl"), slow);
  CAF_CHECK(!late && late.error().code == errc::timed_out);
  CAF_CHECK_EQUAL(to_string(misbehaving{"print('hello')"}.refused.code), "io_failure");
  CAF_CHECK_EQUAL(to_string(misbehaving{"hello(hash='x')"}.refused.code), "config_invalid");
  CAF_CHECK_EQUAL(to_string(misbehaving{"hello(columns=4)"}.refused.code), "config_invalid");
  CAF_CHECK_EQUAL(to_string(misbehaving{"hello(outputs=1)"}.refused.code), "config_invalid");
  CAF_CHECK_EQUAL(to_string(misbehaving{"hello(features=['a'])"}.refused.code), "config_invalid");
  CAF_CHECK_EQUAL(to_string(misbehaving{"sys.exit(0)"}.refused.code), "io_failure");
}

CAF_TEST(a worker that keeps dying is given up and the reason stays to be read) {
  misbehaving x{"hello()\nrequest()\nsys.exit(9)\n", 3};
  CAF_REQUIRE(x.asked);
  for (int i = 0; i < 4; ++i) {
    CAF_REQUIRE(x.world.wait_until([&] { return x.asked->health().ready; }));
    CAF_CHECK(!x.ask());
  }
  CAF_REQUIRE(x.world.wait_until([&] { return x.asked->health().trouble.find("no other") != std::string::npos; }));
  CAF_CHECK_EQUAL(x.asked->health().starts, 4u);
  auto answer = x.ask();
  CAF_CHECK(!answer && answer.error().message.find("exit code 9") != std::string::npos);
}

CAF_TEST(closing it leaves nothing of the worker and its children however stubborn) {
  int worker = 0, helper = 0;
  auto began = system_clock().monotonic();
  {
    worker_world world;
    auto options = world.worker("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nnote_pid()\n"
                                "note_pid(subprocess.Popen(['sleep', '1000']).pid, 'helper')\nhello()\n"
                                "time.sleep(1000)\n");
    options.stop_grace = 100 * millisecond;
    auto asked = open_model(trained("noted.pkl"), options);
    CAF_REQUIRE(asked);
    worker = world.pid(), helper = world.pid("helper");
    began = system_clock().monotonic();
  }
  CAF_MESSAGE("closed after " << (system_clock().monotonic() - began) / millisecond << " ms");
  CAF_CHECK_LESS(system_clock().monotonic() - began, patience / 2);
  CAF_CHECK_GREATER(worker, 1);
  CAF_CHECK_GREATER(helper, 1);
  CAF_CHECK(worker_world{}.is_gone(worker));
  CAF_CHECK(worker_world{}.is_gone(helper));
}
