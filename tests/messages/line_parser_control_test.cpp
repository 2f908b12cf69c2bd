#define CAF_SUITE line_parser_controls

#include "messages/codec/line_parser.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;

namespace {

// 2026-11-21T10:00:00Z
const timestamp read_at = *parse_timestamp("2026-11-21T10:00:00Z");

line_parser_options options() {
  line_parser_options out;
  out.feed = "alpha";
  return out;
}

std::string tick(const std::string& more) {
  return R"({"symbol":"SPY","src_ts":"2026-11-21T09:59:59.5Z",)" + more + "}\n";
}

parsed_chunk parse(const std::string& lines) { return line_parser{options()}.parse(lines, read_at); }

void check_dead(const std::string& line, errc code, const std::string& start_of_reason) {
  auto chunk = parse(line);
  CAF_REQUIRE_EQUAL(chunk.dead_letters.size(), 1u);
  CAF_CHECK_EQUAL(chunk.dead_letters[0].code, code);
  CAF_CHECK_EQUAL(chunk.dead_letters[0].reason.substr(0, start_of_reason.size()), start_of_reason);
}

control_line control(const std::string& line) {
  auto chunk = parse(line);
  CAF_REQUIRE(chunk.dead_letters.empty());
  CAF_REQUIRE_EQUAL(chunk.controls.size(), 1u);
  return chunk.controls[0];
}

} // namespace

CAF_TEST(a hello says whether the feed goes on where it stopped) {
  auto hello = control(R"({"type":"hello","feed":"whatever","provider":"xnas","resumed":true})");
  CAF_CHECK(hello.hello);
  CAF_CHECK(hello.event.change == source_change::up);
  CAF_CHECK(hello.event.resumed);
  CAF_CHECK_EQUAL(hello.event.feed, "alpha");
  CAF_CHECK_EQUAL(hello.event.provider, "xnas");
  hello = control(R"({"type":"hello"})");
  CAF_CHECK(!hello.event.resumed);
  CAF_CHECK_EQUAL(hello.event.provider, "alpha");
  check_dead(R"({"type":"hello","resumed":"yes"})", errc::bad_field, "resumed: must be true or false");
}

CAF_TEST(heartbeats gaps and ends become facts about the source) {
  auto beat = control(R"({"type":"heartbeat","src_ts":"2026-11-21T09:00:00Z"})");
  CAF_CHECK(beat.event.change == source_change::heartbeat);
  CAF_CHECK_EQUAL(to_string(beat.event.at), "2026-11-21T09:00:00Z");
  CAF_CHECK(!beat.hello);
  CAF_CHECK_EQUAL(control(R"({"type":"heartbeat"})").event.at.ns, earliest.ns);
  auto gap =
    control(R"({"type":"gap","from":"2026-11-21T08:00:00Z","to":"2026-11-21T09:00:00Z","reason":"line down"})");
  CAF_CHECK(gap.event.change == source_change::gap);
  CAF_CHECK_EQUAL(to_string(gap.event.from), "2026-11-21T08:00:00Z");
  CAF_CHECK_EQUAL(to_string(gap.event.at), "2026-11-21T09:00:00Z");
  CAF_CHECK_EQUAL(gap.event.reason, "line down");
  check_dead(R"({"type":"gap","to":"2026-11-21T09:00:00Z"})", errc::missing_field, "from is missing");
  check_dead(R"({"type":"gap","from":"2026-11-21T09:00:00Z","to":"2026-11-21T08:00:00Z"})", errc::bad_field, "to: ");
  CAF_CHECK(control(R"({"type":"eof","provider":"xnas"})").event.change == source_change::eof);
  check_dead(R"({"type":"heartbeat","src_ts":"2027-01-01T00:00:00Z"})", errc::future, "src_ts: ");
  check_dead(R"({"type":"goodbye"})", errc::bad_field, "type: \"goodbye\" is none of event, hello");
  // An event may use their keys for its own ends.
  CAF_CHECK_EQUAL(parse(tick(R"("type":"event","seq":1,"price":1,"from":"NYSE","reason":7)")).events, 1u);
}

CAF_TEST(a feed says what it asks elsewhere and that is no part of the log) {
  auto pace = [](const std::string& keys) {
    auto chunk = parse(R"({"type":"pace")" + keys + "}");
    CAF_CHECK(chunk.controls.empty());
    return chunk.paces.empty()
             ? chunk.dead_letters.at(0).reason
             : std::to_string(int(chunk.paces[0].kind)) + " " + std::to_string(chunk.paces[0].requests) + " " +
                 std::to_string(chunk.paces[0].pause / millisecond);
  };
  CAF_CHECK_EQUAL(pace(""), "0 1 0");
  CAF_CHECK_EQUAL(pace(R"(,"requests":12)"), "0 12 0");
  CAF_CHECK_EQUAL(pace(R"(,"made":1000)"), "1 1000 0");
  CAF_CHECK_EQUAL(pace(R"(,"wait_ms":1500)"), "2 1 1500");
  CAF_CHECK_EQUAL(pace(R"(,"requests":0)"), "requests: must be a whole number from 1 to 1000");
  CAF_CHECK_EQUAL(pace(R"(,"made":1001)"), "made: must be a whole number from 1 to 1000");
  CAF_CHECK_EQUAL(pace(R"(,"wait_ms":"5")"), "wait_ms: must be a whole number from 0 to 3600000");
  CAF_CHECK_EQUAL(pace(R"(,"requests":1,"made":1)"), "made: a line of type pace has one of requests, made, wait_ms");
}

CAF_TEST(a feed speaks for so many providers and no more) {
  std::string lines;
  auto heartbeat = [](int n) { return R"({"type":"heartbeat","provider":"p)" + std::to_string(n) + "\"}\n"; };
  for (int n = 0; n < 1000; ++n) lines += heartbeat(n) + heartbeat(n % 10);
  auto chunk = parse(lines);
  CAF_CHECK_EQUAL(chunk.controls.size(), 256u + 1000u);
  CAF_REQUIRE_EQUAL(chunk.dead_letters.size(), 744u);
  CAF_CHECK(chunk.dead_letters[0].code == errc::overloaded);
}

CAF_TEST(a control line stands between events) {
  auto event = tick(R"("seq":1,"price":1)");
  auto chunk = parse(event + event + R"({"type":"eof"})" + "\n" + event);
  CAF_REQUIRE_EQUAL(chunk.controls.size(), 1u);
  CAF_CHECK_EQUAL(chunk.events, 3u);
}

CAF_TEST(the last resume token seen stays whatever lines come after it) {
  line_parser parser{options()};
  auto first = parser.parse(tick(R"("seq":1,"price":1,"resume":17)") + tick(R"("seq":2,"price":1)"), read_at);
  CAF_CHECK_EQUAL(first.resume.token, "17");
  CAF_CHECK_EQUAL(first.resume.seq, 2);
  auto second = parser.parse(tick(R"("seq":3,"price":1)") + "no line\n", read_at);
  CAF_CHECK_EQUAL(second.resume.token, "17");
  CAF_CHECK_EQUAL(second.resume.seq, 3);
  CAF_CHECK(!parser.parse("no line\n", read_at).has_resume);
}
