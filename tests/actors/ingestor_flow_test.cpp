#define CAF_SUITE ingestor_flow

#include "messages/codec/line_parser.hpp"
#include "tests/actors/ingestor_language.hpp"
#include "tests/support/suite.hpp"

#include <numeric>

using namespace finstream;
using namespace finstream::test;

namespace {

std::vector<std::int64_t> numbers(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(last - first + 1));
  std::iota(out.begin(), out.end(), first);
  return out;
}

// Events a few at a time, so that much can happen between them.
std::string trickle(int last) {
  return "i=1; while [ $i -le " + std::to_string(last) +
         " ]; do echo "
         "\"{\\\"symbol\\\":\\\"SPY\\\",\\\"src_ts\\\":\\\"2020-01-06T14:30:00Z\\\",\\\"seq\\\":$i,\\\"price\\\":10,"
         "\\\"size\\\":1}\"; i=$((i+1)); "
         "[ $((i % 20)) = 0 ] && sleep 0.005; done; ";
}

} // namespace

CAF_TEST(no more chunks are underway than there is credit while the log does not answer) {
  feed_world w;
  w.config.limits.credit_chunks = 3;
  w.start("while [ ! -e " + w.files.path() + "/go ]; do sleep 0.01; done; " + events(1, 20'000) + eof);
  w.log.refuse(errc::disk_full);
  std::ofstream{w.files.path() + "/go"};
  CAF_CHECK(w.until([&] { return w.number("blocked_ms") >= 50; }));
  CAF_CHECK_EQUAL(w.number("chunks_underway"), 3);
  CAF_CHECK(w.number("lines") <= most_lines(3));
  w.log.refuse(errc::none);
  CAF_CHECK(w.comes_to("finished"));
  CAF_CHECK(w.until([&] { return w.told_log() == "eof down:eof"; }));
  CAF_CHECK(w.events_in_log() == numbers(1, 20'000));
  CAF_CHECK_EQUAL(w.figures.duplicates.load(), 0u);
}

CAF_TEST(credit that is out with the log is not given again to the next process) {
  feed_world w;
  w.config.limits.credit_chunks = 3;
  w.feed.backoff.crash_limit = 6;
  w.start("while [ ! -e " + w.files.path() + "/go ]; do sleep 0.01; done; " + events(1, 200) +
          "exit 1"); // two chunks and a bit
  w.log.refuse(errc::disk_full);
  std::ofstream{w.files.path() + "/go"};
  CAF_CHECK(w.until([&] { return w.say("phase") == "parked" || w.number("blocked_ms") >= 100; }));
  CAF_CHECK(w.number("lines") <= most_lines(3));
  w.log.refuse(errc::none);
  CAF_CHECK(w.comes_to("parked"));
  CAF_CHECK(w.until([&] { return w.number("chunks_underway") == 0; }));
  CAF_CHECK(w.events_in_log() == numbers(1, 200));
}

CAF_TEST(a process whose output cannot be taken for too long is killed for BackpressureOverflow) {
  feed_world w;
  w.feed.overflow_kill_ms = 100;
  w.feed.backoff.crash_limit = 1000;
  w.start("while [ ! -e " + w.files.path() + "/go ]; do sleep 0.01; done; " + events(1, 1'000'000) + stay);
  w.log.refuse(errc::disk_full);
  std::ofstream{w.files.path() + "/go"};
  CAF_CHECK(w.announced(sys_kind::feed_killed, "BackpressureOverflow"));
  w.log.refuse(errc::none); // what it had printed by then is not lost
  CAF_CHECK(w.until([&] { return w.say("last_end").find("BackpressureOverflow (killed by SIGKILL") == 0; }));
  CAF_CHECK(w.until([&] { return w.number("starts") >= 2 && w.figures.events > 5000; }));
}

CAF_TEST(what an appender took to its grave is sent again in order and nothing is doubled) {
  feed_world w;
  w.start(hello + trickle(2000) + eof);
  int crashes = 0;
  CAF_CHECK(w.until([&] {
    if (w.figures.events > static_cast<std::uint64_t>(crashes) * 150 && w.where.ask_crash("/partitions/0/appender"))
      ++crashes;
    return w.say("phase") == "finished" && w.number("chunks_underway") == 0;
  }));
  CAF_CHECK(crashes >= 5);
  CAF_CHECK(w.events_in_log() == numbers(1, 2000));
  CAF_CHECK_EQUAL(w.number("starts"), 1);
  CAF_CHECK_EQUAL(w.told_log(), "up eof down:eof");
}

CAF_TEST(parts that wait for an appender keep their order when the log was in trouble too) {
  feed_world w;
  w.config.limits.credit_chunks = 8;
  w.start(hello + trickle(2000) + eof);
  int crashes = 0;
  CAF_CHECK(w.until([&] {
    auto trouble = crashes < 8;
    w.log.refuse(trouble && crashes % 2 == 0 ? errc::io_failure : errc::none);
    if (trouble && w.number("chunks_underway") >= 3 && w.where.ask_crash("/partitions/0/appender")) ++crashes;
    if (trouble && crashes % 2 == 1 && w.figures.events > 100 && w.where.ask_crash("/partitions/0/appender")) ++crashes;
    return w.say("phase") == "finished" && w.number("chunks_underway") == 0;
  }));
  CAF_CHECK(w.events_in_log() == numbers(1, 2000));
}

CAF_TEST(each partition gets the events of its symbols and every word of the feed) {
  feed_world w;
  w.config.partitions = 3;
  std::string lines;
  std::vector<std::vector<std::int64_t>> by_partition(3);
  for (int i = 1; i <= 30; ++i) {
    auto symbol = "S" + std::to_string(i % 7);
    lines += print(R"({"symbol":")" + symbol + R"(","src_ts":"2020-01-06T14:30:00Z","seq":)" + std::to_string(i) +
                   R"(,"price":10,"size":1})");
    by_partition[partition_of(symbol, 3)].push_back(i);
  }
  w.start(hello + lines + eof);
  CAF_CHECK(w.comes_to("finished"));
  for (std::uint16_t p = 0; p < 3; ++p) {
    CAF_CHECK(w.until([&] { return w.told_log("f", p) == "up eof down:eof"; }));
    CAF_CHECK(w.events_in_log(p) == by_partition[p]);
  }
}

CAF_TEST(with several partitions a feed goes on from where all of them are) {
  feed_world w;
  w.config.partitions = 3;
  std::string lines;
  for (int i = 1; i <= 30; ++i)
    lines += print(R"({"symbol":"S)" + std::to_string(i % 7) + R"(","src_ts":"2020-01-06T14:30:00Z","resume":")" +
                   std::to_string(i) + R"(","seq":)" + std::to_string(i) + R"(,"price":10,"size":1})");
  w.start(lines + stay);
  CAF_CHECK(w.until([&] {
    auto point = w.saved(feeds_table, "f");
    return !point.empty() && unpack_resume_point(point)->token == "30";
  }));
  CAF_CHECK_EQUAL(w.figures.events.load(), 30u);
  w.tell(w.ingestor, verb::stop_v);
  CAF_CHECK(w.until([&] { return !w.alive(w.ingestor.address()); }));
}

CAF_TEST(a feed is not started while it cannot be known where it stopped) {
  feed_world w;
  w.feed.backoff.crash_limit = 1000;
  w.start(hello + stay);
  CAF_CHECK(w.comes_to("up"));
  w.log.refuse_reading(errc::io_failure);
  w.tell(w.ingestor, verb::restart_v);
  CAF_CHECK(w.until([&] { return w.say("last_end").find("where it is to go on cannot be read") == 0; }));
  CAF_CHECK_EQUAL(w.number("pid"), 0);
  w.log.refuse_reading(errc::none);
  CAF_CHECK(w.comes_to("up"));
}
