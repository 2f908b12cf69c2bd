#define CAF_SUITE ingestor

#include "tests/actors/ingestor_language.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

CAF_TEST(a feed is ready when it has said hello) {
  feed_world w;
  w.start(hello + stay);
  CAF_CHECK(w.comes_to("up"));
  CAF_CHECK(w.announced(sys_kind::feed_up));
  CAF_CHECK(w.until([&] { return w.told_log() == "up"; }));
  CAF_CHECK_EQUAL(w.counted("finstream_feed_up{feed=\"f\"}"), 1u);
}

CAF_TEST(a feed is ready when it has sent an event) {
  feed_world w;
  w.start(events(1, 1) + stay);
  CAF_CHECK(w.comes_to("up"));
}

CAF_TEST(a feed that is not ready in time is killed and started again) {
  feed_world w;
  w.feed.ready_timeout_ms = 100;
  w.start("echo nonsense; " + stay);
  CAF_CHECK(w.until([&] { return w.number("starts") >= 3; }));
  CAF_CHECK(w.announced(sys_kind::feed_killed, "not ready: neither a hello nor a valid event within 100 ms"));
  CAF_CHECK(w.say("last_end").find("not ready") == 0);
  CAF_CHECK(w.told_log().find("restarting:not ready") == 0);
}

CAF_TEST(a feed that exits with 125 is parked until someone says otherwise) {
  feed_world w;
  w.start(hello + "exit 125");
  CAF_CHECK(w.comes_to("parked"));
  CAF_CHECK(w.announced(sys_kind::feed_parked, "exit code 125"));
  CAF_CHECK_EQUAL(w.number("starts"), 1);
  CAF_CHECK(w.until([&] { return w.told_log() == "up down:exit code 125"; }));
  w.tell(w.ingestor, verb::restart_v);
  CAF_CHECK(w.until([&] { return w.number("starts") == 2 && w.say("phase") == "parked"; }));
}

CAF_TEST(a feed that crashes again and again is parked and comes back by hand) {
  feed_world w;
  w.feed.backoff.crash_limit = 3;
  w.start("[ -e " + w.files.path() + "/mended ] && " + stay + "; exit 3");
  CAF_CHECK(w.comes_to("parked"));
  CAF_CHECK_EQUAL(w.number("starts"), 4); // three restarts are allowed
  CAF_CHECK(w.announced(sys_kind::feed_parked, "exit code 3"));
  CAF_CHECK_EQUAL(w.counted("finstream_feed_restarts_total{feed=\"f\"}"), 3u);
  std::ofstream{w.files.path() + "/mended"};
  w.tell(w.ingestor, verb::restart_v);
  CAF_CHECK(w.comes_to("starting"));
}

CAF_TEST(a program that is not there is a crash like others) {
  feed_world w;
  w.feed.backoff.crash_limit = 2;
  w.start("");
  w.kill("/feeds/f");
  w.feed.command = {"finstream-no-such-program"};
  w.ingestor = spawn_metered<ingestor_state>(w.system(), w.where, "/feeds/f",
                                             [&](ingestor_state& state) { state.prepare(&w.context, &w.feed); });
  CAF_CHECK(w.comes_to("parked"));
  CAF_CHECK(w.status("/feeds/f")->find("finstream-no-such-program") != std::string::npos);
}

CAF_TEST(a feed that has said eof and exits well is finished) {
  feed_world w;
  w.start(hello + events(1, 3) + eof);
  CAF_CHECK(w.comes_to("finished"));
  CAF_CHECK(w.until([&] { return w.told_log() == "up eof down:eof"; }));
  CAF_CHECK((w.events_in_log() == std::vector<std::int64_t>{1, 2, 3}));
  CAF_CHECK_EQUAL(w.number("starts"), 1);
}

CAF_TEST(an exit without eof or a bad exit after it is a crash) {
  for (const auto& script : {hello, hello + eof + "exit 1"}) {
    feed_world w;
    w.start(script);
    CAF_CHECK(w.until([&] { return w.number("starts") >= 3; }));
    CAF_CHECK(w.told_log().find("restarting") != std::string::npos);
  }
}

CAF_TEST(a feed may be set to start again after eof) {
  feed_world w;
  w.feed.restart_after_eof = true;
  w.start(hello + events(1, 3) + eof);
  CAF_CHECK(w.until([&] { return w.number("starts") >= 3; }));
  w.tell(w.ingestor, verb::stop_v);
  CAF_CHECK(w.until([&] { return !w.alive(w.ingestor.address()); }));
  CAF_CHECK((w.events_in_log() == std::vector<std::int64_t>{1, 2, 3})); // the others were duplicates
}

CAF_TEST(a hole is in the log before the events that came with it) {
  feed_world w;
  auto gap = R"({"type":"gap","from":"2020-01-06T14:29:50Z","to":"2020-01-06T14:29:59Z"})";
  w.start("printf '%s\\n%s\\n%s\\n' '" + event_line("1") + "' '" + gap + "' '" + event_line("2") + "'; " + stay);
  CAF_CHECK(w.until([&] { return w.figures.events == 2; }));
  CAF_CHECK((w.events_in_log() == std::vector<std::int64_t>{1, 2}));
  auto log = w.entries(0);
  auto found = std::find_if(log.begin(), log.end(), [](auto& x) { return x->source.change == source_change::gap; });
  auto events = std::find_if(log.begin(), log.end(), [](auto& x) { return x->events != nullptr; });
  CAF_REQUIRE(found != log.end() && events != log.end());
  CAF_CHECK_LESS((*found)->offset, (*events)->offset);
}

CAF_TEST(a feed is told where to go on) {
  feed_world w;
  auto note = w.files.path() + "/starts";
  w.start(
    "echo \"[$FINSTREAM_FEED] [$FINSTREAM_RESUME_TOKEN] [$FINSTREAM_RESUME_SRC_TS] [$FINSTREAM_RESUME_SEQ]\" >> " +
    note + "; " + print(event_line("41")) + print(event_line("42", R"(,"resume":"page 7")")) + "while [ ! -e " +
    w.files.path() + "/go ]; do sleep 0.01; done; exit 1");
  CAF_CHECK(w.until([&] { return w.figures.events == 2; }));
  std::ofstream{w.files.path() + "/go"};
  CAF_CHECK(w.until([&] { return w.number("starts") >= 3; }));
  std::ifstream in{note};
  std::string first, second_start;
  std::getline(in, first), std::getline(in, second_start);
  CAF_CHECK_EQUAL(first, "[f] [] [] []");
  CAF_CHECK_EQUAL(second_start, "[f] [page 7] [2020-01-06T14:30:00Z] [42]");
}

CAF_TEST(a line that cannot be used is kept with its bytes and its place and the feed lives) {
  feed_world w;
  auto good = event_line("1");
  w.start(print(good) + print("{not json") + "head -c 5000 /dev/zero | tr '\\0' x; echo; " + print(event_line("2")) +
          stay);
  CAF_CHECK(w.until([&] { return w.figures.events == 2 && w.figures.dead_letters == 2; }));
  auto letters = w.letters(topic::dead_letters);
  CAF_REQUIRE_EQUAL(letters.size(), 2u);
  CAF_CHECK_EQUAL(letters[0].feed, "f");
  CAF_CHECK_EQUAL(letters[0].bytes, "{not json");
  CAF_CHECK(letters[0].code == errc::malformed_line);
  CAF_CHECK(!letters[0].reason.empty());
  CAF_CHECK_EQUAL(letters[0].line_number, 2u);
  CAF_CHECK_EQUAL(letters[0].byte_offset, good.size() + 1);
  CAF_CHECK(letters[1].code == errc::line_too_long);
  CAF_CHECK_EQUAL(letters[1].bytes.substr(0, 3), "xxx");
  CAF_CHECK_EQUAL(letters[1].line_number, 3u);
  CAF_CHECK_EQUAL(letters[1].byte_offset, good.size() + 1 + 10);
  CAF_CHECK_EQUAL(w.say("phase"), "up");
}

CAF_TEST(stopping takes the last words of the process into the log) {
  feed_world w;
  w.start(
    "trap '" +
    std::string{
      "echo \"" +
      std::string{R"({\"symbol\":\"SPY\",\"src_ts\":\"2020-01-06T14:30:00Z\",\"seq\":2,\"price\":10,\"size\":1})"} +
      "\"; exit 0' TERM; "} +
    events(1, 1) + "while :; do sleep 0.02; done");
  CAF_CHECK(w.until([&] { return w.figures.events == 1; }));
  auto pid = w.number("pid");
  w.tell(w.ingestor, verb::stop_v);
  CAF_CHECK(w.until([&] { return !w.alive(w.ingestor.address()); }));
  CAF_CHECK((w.events_in_log() == std::vector<std::int64_t>{1, 2}));
  CAF_CHECK_EQUAL(w.told_log(), "down:stopped");
  CAF_CHECK(w.gone(pid));
}

CAF_TEST(a process that does not stop is killed after its grace) {
  feed_world w;
  w.feed.stop_grace_ms = 50;
  w.start("trap '' TERM; " + hello + "while :; do sleep 1000; done");
  CAF_CHECK(w.comes_to("up"));
  auto pid = w.number("pid");
  w.tell(w.ingestor, verb::stop_v);
  CAF_CHECK(w.until([&] { return !w.alive(w.ingestor.address()); }));
  CAF_CHECK(w.gone(pid));
  CAF_CHECK_EQUAL(w.told_log(), "up down:stopped");
}

CAF_TEST(a feed that is parked or finished stops at once) {
  for (const auto& script : {std::string{"exit 125"}, eof}) {
    feed_world w;
    w.start(script);
    CAF_CHECK(w.until([&] { return w.say("phase") == "parked" || w.say("phase") == "finished"; }));
    w.tell(w.ingestor, verb::stop_v);
    CAF_CHECK(w.until([&] { return !w.alive(w.ingestor.address()); }));
  }
}

CAF_TEST(an ingestor that crashes leaves no process behind) {
  feed_world w;
  w.start(hello + stay);
  CAF_CHECK(w.comes_to("up"));
  auto pid = w.number("pid");
  CAF_CHECK(w.where.ask_crash("/feeds/f"));
  CAF_CHECK(w.gone(pid));
}
