#define CAF_SUITE circuit_breaker

#include "tests/support/suite.hpp"

#include "actors/logic/circuit_breaker.hpp"

using namespace finstream;

namespace {

breaker_limits small() {
  breaker_limits x;
  x.failures_in_a_row = 3, x.window_calls = 8, x.failed_share = 0.5, x.half_open_trials = 2;
  x.open_for = 10 * second, x.open_at_most = 35 * second, x.trial_within = 60 * second;
  return x;
}

// Makes one call if it is allowed; false if it is not.
bool call(circuit_breaker& x, nanoseconds now, bool works) {
  auto leave = x.allow(now);
  if (!leave) return false;
  if (works)
    x.succeeded(*leave, now);
  else
    x.failed(*leave, now, "timed_out");
  return true;
}

circuit_breaker opened_at(nanoseconds now) {
  circuit_breaker x{small()};
  for (int i = 0; i < 3; ++i) call(x, now, false);
  return x;
}

} // namespace

CAF_TEST(so many failures in a row open it and it says why) {
  circuit_breaker x{small()};
  for (int i = 0; i < 2; ++i) CAF_CHECK(call(x, i, false));
  CAF_CHECK(x.state() == breaker_state::closed);
  CAF_CHECK(x.reason().empty());
  CAF_CHECK(call(x, 2, false));
  CAF_CHECK(x.state() == breaker_state::open);
  CAF_CHECK_EQUAL(x.reason(), "3 failures in a row, the last: timed_out");
  CAF_CHECK_EQUAL(x.tries_again_at(), 2 + 10 * second);
  CAF_CHECK_EQUAL(x.times_opened(), 1u);
  CAF_CHECK(!call(x, 3, true));
}

CAF_TEST(a success between failures begins the row anew) {
  circuit_breaker x{small()};
  for (bool works : {false, false, true, false, false, true}) CAF_CHECK(call(x, 0, works));
  CAF_CHECK(x.state() == breaker_state::closed);
}

CAF_TEST(a share of the last calls opens it where no row does) {
  circuit_breaker x{small()};
  // Every other call fails: the share is reached at once, and counts from the eighth call on, when that fails.
  for (int i = 0; i < 7; ++i) CAF_CHECK(call(x, i, i % 2 == 0));
  CAF_CHECK(x.state() == breaker_state::closed);
  CAF_CHECK(call(x, 7, false));
  CAF_CHECK(x.state() == breaker_state::open);
  CAF_CHECK_EQUAL(x.reason(), "4 of the last 8 calls failed, the last: timed_out");
}

CAF_TEST(calls that have left the window count no more) {
  circuit_breaker x{small()};
  for (int round = 0; round < 10; ++round) {
    CAF_CHECK(call(x, round, false));
    CAF_CHECK(call(x, round, false));
    for (int i = 0; i < 6; ++i) CAF_CHECK(call(x, round, true));
  }
  CAF_CHECK(x.state() == breaker_state::closed);
}

CAF_TEST(when its time has passed it is half open and lets one trial at a time through) {
  auto x = opened_at(0);
  CAF_CHECK(!x.allow(10 * second - 1));
  auto trial = x.allow(10 * second);
  CAF_REQUIRE(trial.has_value());
  CAF_CHECK(x.state() == breaker_state::half_open);
  CAF_CHECK(!x.allow(10 * second));
  x.succeeded(*trial, 11 * second);
  CAF_CHECK(x.state() == breaker_state::half_open);
  CAF_CHECK(call(x, 11 * second, true));
  CAF_CHECK(x.state() == breaker_state::closed);
  CAF_CHECK(x.reason().empty());
}

CAF_TEST(a trial that fails opens it for twice as long up to the most) {
  auto x = opened_at(0);
  nanoseconds now = 0;
  for (nanoseconds pause : {10 * second, 20 * second, 35 * second, 35 * second}) {
    CAF_CHECK_EQUAL(x.tries_again_at(), now + pause);
    now += pause;
    CAF_CHECK(!call(x, now - 1, true));
    CAF_CHECK(call(x, now, false));
    CAF_CHECK(x.state() == breaker_state::open);
    CAF_CHECK_EQUAL(x.reason(), "a trial failed: timed_out");
  }
}

CAF_TEST(once closed the next pause is the first again) {
  auto x = opened_at(0);
  CAF_CHECK(call(x, 10 * second, false));
  for (int i = 0; i < 2; ++i) CAF_CHECK(call(x, 30 * second, true));
  CAF_CHECK(x.state() == breaker_state::closed);
  for (int i = 0; i < 3; ++i) CAF_CHECK(call(x, 31 * second, false));
  CAF_CHECK_EQUAL(x.tries_again_at(), 41 * second);
}

CAF_TEST(a result from before the last change of state says nothing) {
  circuit_breaker x{small()};
  auto slow = x.allow(0), slower = x.allow(0);
  for (int i = 0; i < 3; ++i) CAF_CHECK(call(x, 1, false));
  x.succeeded(*slow, 2);
  CAF_CHECK(x.state() == breaker_state::open);
  auto trial = x.allow(20 * second);
  x.failed(*slower, 20 * second, "late");
  CAF_CHECK(x.state() == breaker_state::half_open);
  x.succeeded(*trial, 20 * second);
  CAF_CHECK(call(x, 20 * second, true));
  CAF_CHECK(x.state() == breaker_state::closed);
}

CAF_TEST(a trial without a result counts as failed after its time) {
  auto x = opened_at(0);
  auto lost = x.allow(10 * second);
  CAF_REQUIRE(lost.has_value());
  CAF_CHECK(!x.allow(70 * second - 1));
  CAF_CHECK(!x.allow(70 * second));
  CAF_CHECK(x.state() == breaker_state::open);
  CAF_CHECK_EQUAL(x.tries_again_at(), 90 * second);
  x.succeeded(*lost, 71 * second);
  CAF_CHECK(x.state() == breaker_state::open);
}

CAF_TEST(the same calls at the same times give the same states) {
  auto run = [] {
    circuit_breaker x{small()};
    std::string states;
    for (int i = 0; i < 400; ++i) {
      call(x, i * second, i % 7 > 3 || i > 300);
      states += to_string(x.state());
    }
    return states;
  };
  CAF_CHECK_EQUAL(run(), run());
}
