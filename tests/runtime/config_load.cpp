// What a config file says is what the node gets.
#define CAF_SUITE config_load

#include "runtime/config/load.hpp"
#include "tests/support/suite.hpp"

#include <cstdlib>
#include <map>

using namespace finstream;

namespace {

environment variables(std::map<std::string, std::string> known) {
  return [known](const std::string& name) -> std::optional<std::string> {
    auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional{found->second};
  };
}

settings loaded(const std::string& yaml, std::map<std::string, std::string> known = {}) {
  auto result = parse_settings(yaml, "t.yaml", variables(std::move(known)));
  if (!result) CAF_ERROR(result.error().message);
  return result ? *result : settings{};
}

std::string name_with(const std::string& text, std::map<std::string, std::string> known) {
  return loaded("data_directory: " + text + "\n", std::move(known)).data_directory;
}

} // namespace

CAF_TEST(a file that says nothing means the defaults) {
  for (auto* yaml : {"", "\n", "# only a comment\n", "---\n", "null\n", "{}\n",
                     "log:\nfeeds:\nwindows:\n  intervals:\n", "version: 1"})
    CAF_CHECK(loaded(yaml) == settings{});
}

CAF_TEST(every kind of value is read) {
  auto x = loaded(R"(
node_name: node-1
partitions: 4
log: {level: debug, json: true}
bus:
  durability: batch
windows:
  intervals: [1h, 5s, 1m]
source_sets:
  - name: nifty
    providers: [kite, 'dhan']
feeds:
  - name: csv
    command: [finstream-feed-csv, --file, "a b.csv", -5]
    environment:
      TZ: UTC
      COUNT: 5
      NOTHING: ""
    round: half_even
    backoff:
      max_ms: 1000
gateway:
  port: "9090"
  address: "::1"
)");
  CAF_CHECK_EQUAL(x.node_name, "node-1");
  CAF_CHECK_EQUAL(x.partitions, 4);
  CAF_CHECK(x.log.level == log::level::debug);
  CAF_CHECK(x.log.json);
  CAF_CHECK(x.bus.level == durability::batch);
  CAF_CHECK_EQUAL(x.windows.intervals, (std::vector<nanoseconds>{5 * second, 60 * second, 3600 * second}));
  CAF_REQUIRE_EQUAL(x.source_sets.size(), 1u);
  CAF_CHECK_EQUAL(x.source_sets[0].providers, (std::vector<std::string>{"kite", "dhan"}));
  CAF_REQUIRE_EQUAL(x.feeds.size(), 1u);
  auto& feed = x.feeds[0];
  CAF_CHECK_EQUAL(feed.command, (std::vector<std::string>{"finstream-feed-csv", "--file", "a b.csv", "-5"}));
  CAF_CHECK(feed.environment ==
            (std::vector<std::pair<std::string, std::string>>{{"TZ", "UTC"}, {"COUNT", "5"}, {"NOTHING", ""}}));
  CAF_CHECK(feed.round == rounding::half_even);
  CAF_CHECK_EQUAL(feed.backoff.max_ms, 1000);
  CAF_CHECK_EQUAL(feed.backoff.initial_ms, backoff_settings{}.initial_ms);
  CAF_CHECK_EQUAL(x.gateway.port, 9090);
  CAF_CHECK_EQUAL(x.gateway.address, "::1");
}

CAF_TEST(every interval that divides the unit above it is taken) {
  for (auto* unit : {"s", "m"})
    for (auto count : {1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30})
      loaded("windows:\n  intervals: [" + std::to_string(count) + unit + "]\n");
  for (auto count : {1, 2, 3, 4, 6, 8, 12}) loaded("windows:\n  intervals: [" + std::to_string(count) + "h]\n");
  auto length_of = [](const std::string& span) {
    return loaded("windows:\n  intervals: [" + span + "]\n").windows.intervals.at(0);
  };
  CAF_CHECK_EQUAL(length_of("60s"), 60 * second);
  CAF_CHECK_EQUAL(length_of("24h"), 86'400 * second);
  CAF_CHECK_EQUAL(length_of("1d"), 86'400 * second);
}

CAF_TEST(variables of the environment are replaced anywhere in a value) {
  std::map<std::string, std::string> known{{"A", "one"}, {"B_2", "two"}, {"EMPTY", ""}, {"TRICK", "${A} $$ `rm`"}};
  CAF_CHECK_EQUAL(name_with("${A}", known), "one");
  CAF_CHECK_EQUAL(name_with("/x/${A}/${B_2}/y", known), "/x/one/two/y");
  CAF_CHECK_EQUAL(name_with("${A}${A}", known), "oneone");
  CAF_CHECK_EQUAL(name_with("${NOT:-data/demo}", known), "data/demo");
  CAF_CHECK_EQUAL(name_with("a/${NOT:-b}/c", known), "a/b/c");
  CAF_CHECK_EQUAL(name_with("${A:-other}", known), "one");
  CAF_CHECK_EQUAL(name_with("${EMPTY:-other}", known), "other");
  CAF_CHECK_EQUAL(name_with("x${EMPTY}", known), "x");
  CAF_CHECK_EQUAL(name_with("x${NOT:-}", known), "x");
  CAF_CHECK_EQUAL(name_with("'${NOT:-a:-b}'", known), "a:-b");
  // What a variable holds is never looked at again.
  CAF_CHECK_EQUAL(name_with("${TRICK}", known), "${A} $$ `rm`");
  auto port = loaded("gateway: {port: \"${PORT:-81}\"}\n").gateway.port;
  CAF_CHECK_EQUAL(port, 81);
}

CAF_TEST(a dollar sign can be written) {
  CAF_CHECK_EQUAL(name_with("a$$b", {}), "a$b");
  CAF_CHECK_EQUAL(name_with("$${A}", {}), "${A}");
  CAF_CHECK_EQUAL(name_with("$$$$", {}), "$$");
  CAF_CHECK_EQUAL(name_with("a$b$", {}), "a$b$");
}

CAF_TEST(the environment of the process is read) {
  setenv("FINSTREAM_TEST_VARIABLE", "seen", 1);
  CAF_CHECK(process_environment()("FINSTREAM_TEST_VARIABLE") == "seen");
  unsetenv("FINSTREAM_TEST_VARIABLE");
  CAF_CHECK(process_environment()("FINSTREAM_TEST_VARIABLE") == std::nullopt);
}

CAF_TEST(the demo runs the synthetic feed where the environment says) {
  std::string path = FINSTREAM_SOURCE_DIR "/config/demo.yaml";
  auto plain = load_settings(path, variables({}));
  CAF_REQUIRE(plain.has_value());
  CAF_CHECK_EQUAL(plain->data_directory, "data/demo");
  CAF_CHECK_EQUAL(plain->gateway.port, 8080);
  CAF_REQUIRE_EQUAL(plain->feeds.size(), 1u);
  CAF_CHECK_EQUAL(plain->feeds[0].command, (std::vector<std::string>{"finstream-feed-synthetic", "--symbols", "20",
                                                                     "--rate", "200", "--seed", "1"}));
  auto moved = load_settings(path, variables({{"FINSTREAM_DATA", "/var/lib/x"}, {"FINSTREAM_PORT", "0"}}));
  CAF_REQUIRE(moved.has_value());
  CAF_CHECK_EQUAL(moved->data_directory, "/var/lib/x");
  CAF_CHECK_EQUAL(moved->gateway.port, 0);
}
