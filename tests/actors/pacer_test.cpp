// Feeds are real processes that ask for requests and wait for their grants on standard input.
#define CAF_SUITE pacer

#include "actors/pacer.hpp"
#include "tests/actors/ingestor_language.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

struct paced_world : feed_world {
  paced_world() {
    provider.name = "venue";
    provider.pacing = {20, 3};
    config.providers = {provider};
    feed.paced_by = "venue";
  }
  ~paced_world() { end_all(); }

  void start_pacer() {
    pacer = spawn_metered<pacer_state>(system(), where, pacer_path("venue"),
                                       [this](pacer_state& state) { state.prepare(&context, &provider); });
  }
  std::uint64_t granted() const { return counted("finstream_pacing_granted_total{provider=\"venue\"}"); }
  std::uint64_t violations() const { return counted("finstream_pacing_violations_total{provider=\"venue\"}"); }

  provider_settings provider;
  pacer_actor pacer;
};

const std::string ask = print(R"({"type":"pace"})");
// An event for each line that is heard.
const std::string events_on_grants = "while read line; do n=$((n+1)); echo "
                                     "\"{\\\"symbol\\\":\\\"SPY\\\",\\\"src_ts\\\":\\\"2020-01-06T14:30:00Z\\\","
                                     "\\\"seq\\\":$n,\\\"price\\\":10}\"; done; ";

} // namespace

CAF_TEST(a feed is granted its requests at the pace of its provider) {
  paced_world w;
  w.start_pacer();
  w.start(hello + ask + ask + ask + print(R"({"type":"pace","requests":4})") + events_on_grants);
  CAF_CHECK(w.until([&] { return w.granted() == 7; }));
  CAF_CHECK(w.until([&] { return w.events_in_log().size() >= 3; })); // of seven, three at a time at most
  CAF_CHECK_EQUAL(w.violations(), 0u);
}

CAF_TEST(a feed that nobody paces is granted everything at once) {
  paced_world w;
  w.feed.paced_by.clear();
  w.start(hello + print(R"({"type":"pace","requests":1000})") + "read line; " + ask + events_on_grants);
  CAF_CHECK(w.until([&] { return w.events_in_log().size() == 1; }));
}

CAF_TEST(a feed learns the limits of its provider from its environment) {
  paced_world w;
  w.start_pacer();
  w.start(hello + "echo \"INFO $FINSTREAM_PACE_PROVIDER $FINSTREAM_PACE_REQUESTS_PER_S $FINSTREAM_PACE_BURST\" >" +
          w.files.path() + "/said; " + stay);
  CAF_CHECK(w.until([&] {
    std::string said;
    std::getline(std::ifstream{w.files.path() + "/said"}, said);
    return said == "INFO venue 20 3";
  }));
}

CAF_TEST(requests that were made unasked or refused are violations) {
  paced_world w;
  w.start_pacer();
  w.start(hello + print(R"({"type":"pace","made":1000})") + print(R"({"type":"pace","wait_ms":100})") + stay);
  CAF_CHECK(w.until([&] { return w.violations() >= 998; })); // but for what was saved up by then
  CAF_CHECK(w.until([&] { return w.violations() <= 1001; }));
}

CAF_TEST(a pacer that crashed is asked again for what it had not granted) {
  paced_world w;
  w.provider.pacing = {0.001, 1}; // whoever asks this one waits
  w.start_pacer();
  w.start(hello + ask + ask + events_on_grants);
  CAF_CHECK(w.until([&] { return w.counted("finstream_pacing_waiting_requests{provider=\"venue\"}") == 2; }));
  w.kill(pacer_path("venue"));
  w.provider.pacing = {20, 3};
  w.start_pacer();
  CAF_CHECK(w.until([&] { return w.granted() == 2; }));
  CAF_CHECK(w.until([&] { return !w.events_in_log().empty(); })); // both may be granted in one line
  CAF_CHECK_EQUAL(w.violations(), 0u);
}

CAF_TEST(what a process had asked for is not kept for the next one) {
  paced_world w;
  w.feed.backoff.crash_limit = 3;
  w.provider.pacing = {0.001, 1};
  w.start_pacer();
  w.start(hello + print(R"({"type":"pace","requests":7})") + "exit 1");
  CAF_CHECK(w.comes_to("parked"));
  CAF_CHECK(w.until([&] { return w.counted("finstream_pacing_waiting_requests{provider=\"venue\"}") == 0; }));
}

CAF_TEST(a process that asks and does not read is started again) {
  paced_world w;
  w.feed.paced_by.clear();
  w.feed.backoff.crash_limit = 1000;
  w.start(hello + "exec yes '{\"type\":\"pace\"}'");
  CAF_CHECK(w.announced(sys_kind::feed_killed, "does not read the grants"));
}
