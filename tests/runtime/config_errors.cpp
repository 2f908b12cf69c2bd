// Each row is a config file with something wrong, and exactly what its author is told.
#define CAF_SUITE config_errors

#include "runtime/config/load.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <fstream>
#include <map>

using namespace finstream;

namespace {

std::optional<std::string> test_variable(const std::string& name) {
  static const std::map<std::string, std::string> known{{"EMPTY", ""}, {"PORT", "9000"}, {"WORD", "blue"}};
  auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional{found->second};
}

std::string message_of(const std::string& yaml) {
  auto result = parse_settings(yaml, "t.yaml", test_variable);
  if (result) return "";
  CAF_CHECK_EQUAL(to_string(result.error().code), to_string(errc::config_invalid));
  return result.error().message;
}

struct row {
  const char* yaml;
  const char* message;
};

void check(const std::vector<row>& rows) {
  for (auto& x : rows) CAF_CHECK_EQUAL(message_of(x.yaml), std::string{x.message});
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

} // namespace

CAF_TEST(a key that is not known is named with its place and the nearest one) {
  check({
    {"windows:\n  alow_late_ms: 5\n",
     "t.yaml:2:3: key `windows.alow_late_ms` is not known; did you mean `allow_late_ms`?"},
    {"windows:\n  allow_late_sm: 5\n",
     "t.yaml:2:3: key `windows.allow_late_sm` is not known; did you mean `allow_late_ms`?"},
    {"feed: []\n", "t.yaml:1:1: key `feed` is not known; did you mean `feeds`?"},
    {"allow_late_ms: 5\n", "t.yaml:1:1: key `allow_late_ms` is not known; did you mean `windows.allow_late_ms`?"},
    {"initial_ms: 5\n",
     "t.yaml:1:1: key `initial_ms` is not known; known here: version, node_name, data_directory, partitions, log, "
     "scheduler, bus, windows, features, inference, stores, source_sets, providers, feeds, checkpoint, supervisor, "
     "gateway, "
     "backfill, limits"},
    {"log:\n  colour: true\n", "t.yaml:2:3: key `log.colour` is not known; known here: level, json"},
    {"log: {level: info, jsn: true}\n", "t.yaml:1:20: key `log.jsn` is not known; did you mean `json`?"},
    {"feeds:\n  - name: a\n    comand: [b]\n",
     "t.yaml:3:5: key `feeds[0].comand` is not known; did you mean `command`?"},
    {"feeds:\n  - name: a\n    command: [b]\n    backoff:\n      inital_ms: 1\n",
     "t.yaml:5:7: key `feeds[0].backoff.inital_ms` is not known; did you mean `initial_ms`?"},
    {"source_sets:\n  - nme: a\n    providers: [b]\n",
     "t.yaml:2:5: key `source_sets[0].nme` is not known; did you mean `name`?"},
    {"\"\": 1\n",
     "t.yaml:1:1: key `` is not known; known here: version, node_name, data_directory, partitions, log, "
     "scheduler, bus, windows, features, inference, stores, source_sets, providers, feeds, checkpoint, supervisor, "
     "gateway, backfill, limits"},
    {"<<: {version: 1}\n",
     "t.yaml:1:1: key `<<` is not known; known here: version, node_name, data_directory, partitions, log, scheduler, "
     "bus, windows, features, inference, stores, source_sets, providers, feeds, checkpoint, supervisor, gateway, "
     "backfill, "
     "limits"},
    {"\"a\\nb\": 1\n",
     "t.yaml:1:1: key `a\\x0ab` is not known; known here: version, node_name, data_directory, partitions, log, "
     "scheduler, bus, windows, features, inference, stores, source_sets, providers, feeds, checkpoint, supervisor, "
     "gateway, "
     "backfill, limits"},
  });
}

CAF_TEST(a key that is there twice is refused) {
  check({
    {"partitions: 1\npartitions: 2\n", "t.yaml:2:1: key `partitions` is there twice; it was first in line 1"},
    {"log:\n  level: info\n  json: true\n  level: debug\n",
     "t.yaml:4:3: key `log.level` is there twice; it was first in line 2"},
    {"feeds:\n  - name: a\n    command: [b]\n    name: c\n",
     "t.yaml:4:5: key `feeds[0].name` is there twice; it was first in line 2"},
    {"feeds:\n  - name: a\n    command: [b]\n    environment: {X: 1, X: 2}\n",
     "t.yaml:4:25: key `feeds[0].environment.X` is there twice"},
  });
}

CAF_TEST(a value of the wrong type is refused) {
  check({
    {"gateway:\n  port: http\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `http`"},
    {"gateway:\n  port: 80.5\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `80.5`"},
    {"gateway:\n  port: -1\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `-1`"},
    {"gateway:\n  port: 0x50\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `0x50`"},
    {"gateway:\n  port: ''\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not ``"},
    {"gateway:\n  port:\n", "t.yaml:2:3: key `gateway.port` has no value; write one, or leave the key out"},
    {"gateway:\n  port: [80]\n", "t.yaml:2:9: key `gateway.port` must be a single value, not a list"},
    {"gateway: 80\n", "t.yaml:1:10: key `gateway` must be a map of settings, not a single value"},
    {"gateway:\n  - port: 80\n", "t.yaml:2:3: key `gateway` must be a map of settings, not a list"},
    {"gateway:\n  enabled: yes\n", "t.yaml:2:12: key `gateway.enabled` must be true or false, not `yes`"},
    {"gateway:\n  address: localhost\n",
     "t.yaml:2:12: key `gateway.address` must be an IP address such as 127.0.0.1 or ::, not `localhost`"},
    {"log:\n  level: loud\n", "t.yaml:2:10: key `log.level` must be trace, debug, info, warning or error, not `loud`"},
    {"bus:\n  durability: high\n", "t.yaml:2:15: key `bus.durability` must be none, interval or batch, not `high`"},
    {"bus:\n  type: kafak\n", "t.yaml:2:9: key `bus.type` must be embedded, redis, nats or kafka, not `kafak`"},
    {"bus:\n  type: kafka\n",
     "t.yaml:2:3: key `bus.broker.url` must say where the broker is, such as redis://127.0.0.1:6379"},
    {"bus:\n  type: kafka\n  broker: {url: a, sasl_mechanism: GSSAPI}\n",
     "t.yaml:3:36: key `bus.broker.sasl_mechanism` must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not `GSSAPI`"},
    {"bus:\n  type: kafka\n  broker: {url: a, credentials_file: b}\n",
     "t.yaml:3:38: key `bus.broker.credentials_file` is for NATS: the user and the password of any other broker are in "
     "its url"},
    {"bus:\n  type: nats\n  broker: {url: nats://a, tls_ca_file: b}\n",
     "t.yaml:3:40: key `bus.broker.tls_ca_file`: it is for a `bus.broker.url` that begins with tls://"},
    {"bus:\n  type: nats\n  broker: {url: tls://a, tls_key_file: b}\n",
     "t.yaml:3:40: keys `bus.broker.tls_certificate_file` and `bus.broker.tls_key_file` go together"},
    {"bus:\n  type: redis\n  broker: {url: redis://a, tls_ca_file: b}\n",
     "t.yaml:3:41: key `bus.broker.tls_ca_file`: the driver of Redis does not speak TLS: put a tunnel before it"},
    {"node_name: my node\n",
     "t.yaml:1:12: key `node_name` must be a name of up to 64 letters, digits, `.`, `_` and `-`, not `my node`"},
    {"data_directory: ''\n", "t.yaml:1:17: key `data_directory` must be a text that is not empty, not ``"},
    {"feeds: a\n", "t.yaml:1:8: key `feeds` must be a list, not a single value"},
    {"feeds: {name: a}\n", "t.yaml:1:8: key `feeds` must be a list, not a map"},
    {"feeds: [a]\n", "t.yaml:1:9: `feeds[0]` must be a map of settings, not a single value"},
    {"feeds:\n  -\n", "t.yaml:2:3: `feeds[0]` must be a map of settings, not nothing"},
    {"windows:\n  intervals: 1s\n", "t.yaml:2:14: key `windows.intervals` must be a list, not a single value"},
    {"windows:\n  intervals: [[1s]]\n", "t.yaml:2:15: `windows.intervals[0]` must be a single value, not a list"},
    {"[1, 2]\n", "t.yaml:1:1: a config file is a map of settings, not a list"},
    {"hello\n", "t.yaml:1:1: a config file is a map of settings, not a single value"},
    {"? [a]\n: 1\n", "t.yaml:1:3: a key must be a single word, not a list"},
  });
}

CAF_TEST(a number out of its range is refused) {
  check({
    {"gateway:\n  port: 65536\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `65536`"},
    {"partitions: 0\n", "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `0`"},
    {"partitions: 99999999999999999999999\n",
     "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `99999999999999999999999`"},
    {"version: 2\n", "t.yaml:1:10: key `version` must be 1, not `2`"},
    {"windows:\n  revise_for_ms: 86400001\n",
     "t.yaml:2:18: key `windows.revise_for_ms` must be a whole number from 0 to 86400000, not `86400001`"},
    {"bus:\n  memtable_bytes: 1048575\n",
     "t.yaml:2:19: key `bus.memtable_bytes` must be a whole number from 1048576 to 4294967296, not `1048575`"},
  });
}

CAF_TEST(an interval must divide the unit above it) {
  check({
    {"windows:\n  intervals: [1s, 7s]\n", "t.yaml:2:19: key `windows.intervals[1]` must be a span of 1, 2, 3, 4, 5, 6, "
                                          "10, 12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `7s`"},
    {"windows:\n  intervals: [90s]\n", "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, "
                                       "10, 12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `90s`"},
    {"windows:\n  intervals: [250ms]\n",
     "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s or m, of 1, "
     "2, 3, 4, 6, 8 or 12 h, or 1d, not `250ms`"},
    {"windows:\n  intervals: [0s]\n", "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, 10, "
                                      "12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `0s`"},
    {"windows:\n  intervals: [5h]\n", "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, 10, "
                                      "12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `5h`"},
    {"windows:\n  intervals: [2d]\n", "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, 10, "
                                      "12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `2d`"},
    {"windows:\n  intervals: [5]\n", "t.yaml:2:15: key `windows.intervals[0]` must be a span of 1, 2, 3, 4, 5, 6, 10, "
                                     "12, 15, 20 or 30 s or m, of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `5`"},
    {"windows:\n  intervals: []\n", "t.yaml:2:14: key `windows.intervals` must have at least one span"},
    {"windows:\n  intervals: [60s, 1m]\n", "t.yaml:2:20: span `60s` is there twice"},
  });
}

CAF_TEST(a feed needs a name of its own and a command) {
  check({
    {"feeds:\n  - command: [a]\n", "t.yaml:2:5: `feeds[0]` needs a `name`"},
    {"feeds:\n  - name: a\n", "t.yaml:2:5: `feeds[0]` needs a `command`: a list of the program and its arguments"},
    {"feeds:\n  - name: a\n    command: []\n",
     "t.yaml:3:14: `feeds[0]` needs a `command`: a list of the program and its arguments"},
    {"feeds:\n  - name: a\n    command: ['']\n",
     "t.yaml:3:14: `feeds[0]` needs a `command`: a list of the program and its arguments"},
    {"feeds:\n  - name: a\n    command: finstream-feed-csv --file x\n",
     "t.yaml:3:14: key `feeds[0].command` must be a list such as [program, --option]: nothing splits a text into "
     "words, not a single value"},
    {"feeds:\n  - name: a\n    command: [\"b\\0c\"]\n",
     "t.yaml:3:15: an argument of a program can not hold a zero byte"},
    {"feeds:\n  - name: a\n    command: [b]\n  - name: a\n    command: [b]\n",
     "t.yaml:4:11: feed `a` is there twice; each needs a name of its own"},
    {"feeds:\n  - name: ../a\n    command: [b]\n",
     "t.yaml:2:11: key `feeds[0].name` must be a name of up to 64 letters, digits, `.`, `_` and `-`, not `../a`"},
    {"feeds:\n  - name: a\n    command: [b]\n    environment: [X]\n",
     "t.yaml:4:18: key `feeds[0].environment` must be a map of names and texts, not a list"},
    {"feeds:\n  - name: a\n    command: [b]\n    environment: {1X: a}\n",
     "t.yaml:4:19: key `feeds[0].environment`: `1X` is not the name of a variable"},
    {"feeds:\n  - name: a\n    command: [b]\n    environment: {X: [a]}\n",
     "t.yaml:4:22: key `feeds[0].environment.X` must be a single value, not a list"},
    {"feeds:\n  - name: a\n    command: [b]\n    backoff: {initial_ms: 500, max_ms: 400}\n",
     "t.yaml:4:40: key `feeds[0].backoff.max_ms` must not be less than `initial_ms`, which is 500"},
  });
}

CAF_TEST(a provider is in one source set at most) {
  check({
    {"source_sets:\n  - {name: a, providers: [x, y]}\n  - {name: b, providers: [y]}\n",
     "t.yaml:3:27: provider `y` is in source set `a` already; its events can go to one series only"},
    {"source_sets:\n  - {name: a, providers: [x, x]}\n",
     "t.yaml:2:30: provider `x` is in source set `a` already; its events can go to one series only"},
    {"source_sets:\n  - {name: a, providers: [x]}\n  - {name: a, providers: [y]}\n",
     "t.yaml:3:12: source set `a` is there twice; each needs a name of its own"},
    {"source_sets:\n  - {name: a}\n", "t.yaml:2:5: `source_sets[0]` needs at least one of `providers`"},
    {"source_sets:\n  - {providers: [x]}\n", "t.yaml:2:5: `source_sets[0]` needs a `name`"},
    {"source_sets:\n  - {name: a, providers: ['']}\n", "t.yaml:2:27: a provider must not be empty"},
  });
}

CAF_TEST(a provider has a rate that can be kept and feeds name one that is there) {
  check({
    {"providers:\n  - {name: a}\n  - {name: a}\n",
     "t.yaml:3:12: provider `a` is there twice; each needs a name of its own"},
    {"providers:\n  - {pacing: {burst: 2}}\n", "t.yaml:2:5: `providers[0]` needs a `name`"},
    {"providers:\n  - {name: a, pacing: {requests_per_s: 0}}\n",
     "t.yaml:2:40: key `providers[0].pacing.requests_per_s` must be from 1e-05 to 100000, not 0"},
    {"providers:\n  - {name: a, pacing: {requests_per_s: -1}}\n",
     "t.yaml:2:40: key `providers[0].pacing.requests_per_s` must be from 1e-05 to 100000, not -1"},
    {"providers:\n  - {name: a, pacing: {requests_per_s: 0.001, burst: 3000}}\n",
     "t.yaml:2:54: key `providers[0].pacing.burst` would take more than 30 days to save up: at most 2592"},
    {"feeds:\n  - {name: a, command: [b], paced_by: c}\n",
     "t.yaml:2:39: key `feeds[0].paced_by` names `c`, which is none of `providers`"},
  });
}

CAF_TEST(a variable of the environment that is not there is named) {
  check({
    {"node_name: ${NOWHERE}\n", "t.yaml:1:12: key `node_name`: the environment variable `NOWHERE` is not set; set it, "
                                "or write `${NOWHERE:-default}`"},
    {"gateway:\n  port: ${NOWHERE}\n", "t.yaml:2:9: key `gateway.port`: the environment variable `NOWHERE` is not set; "
                                       "set it, or write `${NOWHERE:-default}`"},
    {"gateway:\n  port: ${WORD}\n",
     "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not `blue`"},
    {"gateway:\n  port: ${EMPTY}\n", "t.yaml:2:9: key `gateway.port` must be a whole number from 0 to 65535, not ``"},
    {"node_name: a${WORD\n",
     "t.yaml:1:12: key `node_name`: `${WORD` has no closing brace; a plain dollar sign is written `$$`"},
    {"node_name: ${}\n",
     "t.yaml:1:12: key `node_name`: `${}` is not the name of a variable; a plain dollar sign is written `$$`"},
    {"node_name: ${A B:-c}\n",
     "t.yaml:1:12: key `node_name`: `${A B:-c}` is not the name of a variable; a plain dollar sign is written `$$`"},
    {"feeds:\n  - name: a\n    command: [\"${NOWHERE}\"]\n",
     "t.yaml:3:15: key `feeds[0].command[0]`: the environment variable `NOWHERE` is not set; set it, or write "
     "`${NOWHERE:-default}`"},
    {"feeds:\n  - name: a\n    command: [b]\n    environment: {X: \"${NOWHERE}\"}\n",
     "t.yaml:4:22: key `feeds[0].environment.X`: the environment variable `NOWHERE` is not set; set it, or write "
     "`${NOWHERE:-default}`"},
  });
}

CAF_TEST(what is not YAML is refused with its place) {
  check({
    {"a: [1\n", "t.yaml:2:1: this is not YAML: end of sequence flow not found"},
    {"a: b: c\n", "t.yaml:1:5: this is not YAML: illegal map value"},
    {"\tpartitions: 1\n", "t.yaml:1:12: this is not YAML: illegal map value"},
    {"partitions: 1\n - x\n", "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `1 - x`"},
    {"partitions: *other\n", "t.yaml:1:13: this is not YAML: the referenced anchor is not defined"},
    {"partitions: 1\n---\npartitions: 2\n",
     "t.yaml:2:1: the settings have ended before this; a config file holds one YAML document"},
    {"partitions: 1\n}\n", "t.yaml:2:1: this is not YAML: illegal flow end"},
    // A comma where none can be: the parser sees empty documents without end.
    {", partitions: 1\n", "t.yaml:1:1: the settings have ended before this; a config file holds one YAML document"},
    {"node_name: \"a\n", "t.yaml:2:1: this is not YAML: illegal EOF in scalar"},
    {"node_name: a\x04"
     "\npartitions: 0\n",
     "t.yaml:1:13: byte 0x04 has no place in a config file; it must be UTF-8 text"},
  });
}

CAF_TEST(all errors of a file are told at once and in its order) {
  check({
    {"partitions: 0\nlog:\n  level: loud\n  jsn: true\nfeeds:\n  - comand: [a]\n    name: a\n  - name: b\n  - name: "
     "c\n    command: [d]\n  - name: c\n    command: [d]\n",
     "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `0`\nt.yaml:3:10: key `log.level` must "
     "be trace, debug, info, warning or error, not `loud`\nt.yaml:4:3: key `log.jsn` is not known; did you mean "
     "`json`?\nt.yaml:6:5: key `feeds[0].comand` is not known; did you mean `command`?\nt.yaml:8:5: `feeds[1]` needs a "
     "`command`: a list of the program and its arguments\nt.yaml:11:11: feed `c` is there twice; each needs a name of "
     "its own"},
  });
}

CAF_TEST(a file that can not be read is named with the reason) {
  auto message_about = [](const std::string& path) { return load_settings(path).error().message; };
  test::temp_dir directory;
  auto path = directory.path() + "/node.yaml";
  CAF_CHECK_EQUAL(message_about(path), path + ": the config file cannot be read: No such file or directory");
  CAF_CHECK_EQUAL(message_about(directory.path()),
                  directory.path() + ": the config file cannot be read: Is a directory");
  std::ofstream{path} << repeated("# a long comment\n", 70'000);
  CAF_CHECK_EQUAL(message_about(path), path + ": the config file cannot be read: it is larger than 1 MiB");
  CAF_CHECK_EQUAL(message_about("/dev/zero"), "/dev/zero: the config file cannot be read: it is larger than 1 MiB");
}

CAF_TEST(a value is shown in part and on one line) {
  auto long_value = repeated("x", 1000);
  CAF_CHECK_EQUAL(message_of("partitions: " + long_value + "\n"),
                  "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `" + repeated("x", 60) +
                    "...`");
  CAF_CHECK_EQUAL(message_of("partitions: \"a\\n\\e[31m\"\n"),
                  "t.yaml:1:13: key `partitions` must be a whole number from 1 to 256, not `a\\x0a\\x1b[31m`");
}

CAF_TEST(the number of errors shown has a limit) {
  auto message = message_of("feeds:\n" + repeated("  - 1\n", 70));
  CAF_CHECK_EQUAL(std::count(message.begin(), message.end(), '\n'), 50);
  CAF_CHECK(message.ends_with("\nt.yaml: and 20 more"));
}

CAF_TEST(a list has a limit) {
  CAF_CHECK_EQUAL(message_of("feeds:\n  - name: a\n    command: [" + repeated("b,", 10'001) + "]\n"),
                  "t.yaml:3:14: key `feeds[0].command` has more than 10000 entries");
}

CAF_TEST(garbage is an error and never more) {
  CAF_CHECK_NOT_EQUAL(message_of(repeated("[", 100'000)), "");
  CAF_CHECK_NOT_EQUAL(message_of(repeated("{a: ", 100'000)), "");
  CAF_CHECK_NOT_EQUAL(message_of(std::string(3, '\0')), "");
  // Every beginning of a good file, and every way to lose one of its characters, is good or has an error.
  std::string good = "version: 1\nlog: {level: debug}\nfeeds:\n  - name: a\n    command: [\"b\", 'c']\n"
                     "windows:\n  intervals: [1s, 60s] # two\nnode_name: ${WORD:-x}\n";
  CAF_CHECK_EQUAL(message_of(good), "");
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto cut = message_of(good.substr(0, i)), holed = message_of(std::string{good}.erase(i, 1));
    for (auto& message : {cut, holed}) CAF_CHECK(message.empty() || message.starts_with("t.yaml:"));
  }
}
