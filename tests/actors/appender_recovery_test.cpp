#define CAF_SUITE appender_recovery

#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct recovery_world : world {
  appender_actor appender;
  listener feed;
  std::uint64_t last_number = 0;

  void start() {
    appender = start_appender();
    feed = listen();
  }
  void start_again() {
    kill(partition_path(0, "appender"));
    start();
  }
  void append(const chunk_part& what, std::uint64_t number) {
    tell(appender, verb::append_v, std::make_shared<const chunk_part>(what), number, feed.as<append_listener>());
  }
};

chunk_part one_trade(std::int64_t seq) { return *part_of({trade(at("09:30:00") + seq * millisecond, "10", "1", seq)}); }

} // namespace

CAF_TEST(a restarted appender knows as many events as before whatever else is in the log) {
  for (auto again : {false, true}) {
    recovery_world w;
    w.config.windows.duplicate_horizon_events = 40;
    w.start();
    for (std::int64_t seq = 1; seq <= 60; ++seq) {
      auto part = one_trade(seq);
      part.after = {3, {"feed", "nyse", source_change::heartbeat, at("09:30:00"), {}, false, ""}};
      w.append(part, ++w.last_number);
    }
    if (again) w.start_again();
    for (std::int64_t seq = 21; seq <= 60; ++seq) w.append(one_trade(seq), ++w.last_number);
    CAF_CHECK_EQUAL(w.figures.duplicates.load(), 40u);
    CAF_CHECK_EQUAL(w.events_in_log().size(), 60u);
  }
}

CAF_TEST(a part is not taken for a new one while it cannot be known which was the last) {
  recovery_world w;
  w.start();
  auto part = one_trade(1);
  part.dead_letters.emplace_back().bytes = "a bad line";
  w.append(part, 1);
  w.start_again();
  w.log.refuse_reading(errc::io_failure);
  w.append(part, 1);
  CAF_CHECK(w.end_of(partition_path(0, "appender")).find("which part of a feed was the last") != std::string::npos);
  CAF_CHECK(w.feed.now().appended.empty());
  w.log.refuse_reading(errc::none);
  w.start();
  w.append(part, 1);
  CAF_CHECK_EQUAL(w.feed.now().appended.size(), 1u);
  CAF_CHECK_EQUAL(w.letters(topic::dead_letters).size(), 1u);
}
