#define CAF_SUITE source_clock

#include "tests/support/suite.hpp"

#include "actors/logic/source_clock.hpp"

using namespace finstream;

namespace {

constexpr source_clock_rules rules{500 * millisecond, 1 * second, 10 * second};
constexpr timestamp ms(std::int64_t x) { return {x * millisecond}; }

} // namespace

CAF_TEST(a source that was never heard has no watermark and is idle) {
  source_clock x{rules, 1};
  CAF_CHECK(x.watermark(ms(0)) == earliest);
  CAF_CHECK(x.is_idle(ms(0)));
  CAF_CHECK(x.newest() == earliest);
  CAF_CHECK(x.extrapolated(ms(5000)) == earliest);
}

CAF_TEST(the watermark is the newest time less the lateness) {
  source_clock x{rules, 1};
  CAF_CHECK(x.advance(0, ms(10'000), ms(1)));
  CAF_CHECK(x.watermark(ms(1)) == ms(9500));
  CAF_CHECK(!x.advance(0, ms(9000), ms(2)));
  CAF_CHECK(!x.advance(0, ms(10'000), ms(2)));
  CAF_CHECK(x.watermark(ms(2)) == ms(9500));
  CAF_CHECK(x.advance(0, ms(11'000), ms(3)));
  CAF_CHECK(x.watermark(ms(3)) == ms(10'500));
}

CAF_TEST(a source is idle after more than the time out without a word) {
  source_clock x{rules, 1};
  x.advance(0, ms(10'000), ms(100));
  CAF_CHECK(!x.is_idle(ms(1100)));
  CAF_CHECK(x.is_idle({ms(1100).ns + 1}));
  CAF_CHECK(x.watermark(ms(1101)) == earliest);
  x.advance(0, ms(9000), ms(1200)); // an old event is a word too
  CAF_CHECK(!x.is_idle(ms(1200)));
  CAF_CHECK(x.watermark(ms(1200)) == ms(9500));
}

CAF_TEST(the watermark of several is the lowest of those that are not idle) {
  source_clock x{rules, 3};
  x.advance(0, ms(10'000), ms(0));
  CAF_CHECK(x.watermark(ms(0)) == ms(9500)); // the others were never heard
  x.advance(1, ms(5000), ms(500));
  CAF_CHECK(x.watermark(ms(500)) == ms(4500));
  x.advance(0, ms(11'000), ms(1400));
  CAF_CHECK(x.watermark(ms(1500)) == ms(4500));
  CAF_CHECK(x.watermark(ms(1501)) == ms(10'500));
  CAF_CHECK(!x.is_idle(ms(1501)));
  CAF_CHECK(x.is_idle(ms(2401)));
  CAF_CHECK(x.newest() == ms(11'000));
}

CAF_TEST(a source that is being restarted is not idle until the grace is over) {
  for (auto what : {source_change::restarting, source_change::up}) {
    source_clock x{rules, 1};
    x.advance(0, ms(10'000), ms(0));
    x.change(0, what, ms(100));
    CAF_CHECK(!x.is_idle({ms(10'100).ns - 1}));
    CAF_CHECK(x.is_idle(ms(10'100)));
  }
}

CAF_TEST(an event ends the waiting) {
  source_clock x{rules, 1};
  x.advance(0, ms(10'000), ms(0));
  x.change(0, source_change::restarting, ms(100));
  x.advance(0, ms(10'001), ms(200));
  CAF_CHECK(!x.is_idle(ms(1200)));
  CAF_CHECK(x.is_idle(ms(1201)));
}

CAF_TEST(a source that is down or has sent all is waited for no longer) {
  for (auto what : {source_change::down, source_change::eof}) {
    source_clock x{rules, 1};
    x.advance(0, ms(10'000), ms(0));
    x.change(0, source_change::restarting, ms(100));
    x.change(0, what, ms(200));
    CAF_CHECK(x.is_idle(ms(1001)));
  }
}

CAF_TEST(a start of the node waits for those that were there and for no others) {
  source_clock x{rules, 2};
  x.node_started(ms(0));
  CAF_CHECK(x.is_idle(ms(1)));
  x.advance(0, ms(10'000), ms(10));
  x.node_started(ms(60'000));
  CAF_CHECK(x.is_down());
  CAF_CHECK(!x.is_idle(ms(69'999)));
  CAF_CHECK(x.is_idle(ms(70'000)));
}

CAF_TEST(a set is down if no process of it is there) {
  source_clock x{rules, 2};
  CAF_CHECK(x.is_down());
  x.change(0, source_change::up, ms(0));
  CAF_CHECK(!x.is_down());
  x.change(1, source_change::up, ms(0));
  x.change(0, source_change::down, ms(0));
  CAF_CHECK(!x.is_down());
  x.change(1, source_change::restarting, ms(0));
  CAF_CHECK(x.is_down());
  x.advance(0, ms(1), ms(1)); // an event without a hello
  CAF_CHECK(!x.is_down());
}

CAF_TEST(the own time of an idle set runs on with the log less the time out) {
  source_clock x{rules, 2};
  x.advance(0, ms(10'000), ms(100));
  x.advance(1, ms(12'000), ms(5100));
  CAF_CHECK(x.extrapolated(ms(7100)) == ms(16'000)); // 10 s + 7 s - 1 s; the other stands at 13 s
}

CAF_TEST(a clock is read back as it was saved) {
  source_clock x{rules, 2};
  x.advance(0, ms(10'000), ms(100));
  x.change(0, source_change::restarting, ms(200));
  x.change(1, source_change::up, ms(300));
  std::string bytes, again;
  byte_writer out{bytes}, out_again{again};
  x.save(out);
  source_clock y{rules, 2};
  byte_reader in{bytes};
  y.load(in);
  CAF_CHECK(in.done());
  y.save(out_again);
  CAF_CHECK_EQUAL(bytes, again);
  for (auto t : {0, 100, 1100, 10'199, 10'200, 20'000}) {
    CAF_CHECK(x.watermark(ms(t)) == y.watermark(ms(t)));
    CAF_CHECK_EQUAL(x.is_idle(ms(t)), y.is_idle(ms(t)));
  }
}
