// The founding config file, word for word, and what is said of one with mistakes.
#define CAF_SUITE config_founding

#include "runtime/config/load.hpp"
#include "tests/support/suite.hpp"

#include <fstream>
#include <sstream>

using namespace finstream;

namespace {

const environment no_variables = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };

settings loaded(const std::string& yaml, std::vector<std::string>* notes = nullptr) {
  auto result = parse_settings(yaml, "t.yaml", no_variables, notes);
  if (!result) CAF_ERROR(result.error().message);
  return result ? *result : settings{};
}

std::string message_of(const std::string& yaml) {
  auto result = parse_settings(yaml, "t.yaml", no_variables);
  return result ? "" : result.error().message;
}

} // namespace

CAF_TEST(the founding config loads as it is) {
  std::vector<std::string> notes;
  auto result = load_settings(FINSTREAM_SOURCE_DIR "/tests/runtime/founding/streaming.yaml", no_variables, &notes);
  if (!result) CAF_ERROR(result.error().message);
  CAF_REQUIRE(result.has_value());
  settings expected;
  expected.bus.type = bus_driver::redis;
  expected.bus.broker.url = "redis://redis:6379/0";
  expected.bus.broker.events_stream = "mdp.events";
  expected.bus.broker.outputs_stream = "mdp.signals";
  auto& feed = expected.feeds.emplace_back();
  feed.name = "synthetic";
  feed.command = {"finstream-feed-synthetic", "--symbols", "SPY,AAPL,MSFT", "--rate", "3", "--volatility", "0.02"};
  expected.features.interval = 2 * second;
  expected.features.windows = {{.name = "vwap_1m", .horizon = 60 * second},
                               {.name = "ret_30s", .horizon = 30 * second},
                               {.name = "vol_5m", .horizon = 300 * second}};
  expected.inference.rules = {.enabled = true, .file = "configs/rules.yaml"};
  expected.gateway.port = 9101;
  CAF_CHECK(*result == expected);
  CAF_CHECK_EQUAL(notes, (std::vector<std::string>{
                           "`bus.redis.consumer_group` and `micro_batch.max_batch_size` have no effect"}));
}

CAF_TEST(what is translated can be printed and loaded again) {
  auto x = *load_settings(FINSTREAM_SOURCE_DIR "/tests/runtime/founding/streaming.yaml", no_variables);
  std::vector<std::string> notes;
  CAF_CHECK(loaded(settings_to_yaml(x), &notes) == x);
  CAF_CHECK(notes.empty());
}

CAF_TEST(each founding name sets what does the same today) {
  auto x = loaded("micro_batch: {window_ms: 3000, allow_late_ms: 7, flush_timeout_ms: 8}\n"
                  "telemetry: {metrics_port: 9, log_level: WARNING}\n");
  CAF_CHECK_EQUAL(x.windows.intervals,
                  (std::vector<nanoseconds>{second, 2 * second, 3 * second, 5 * second, 60 * second}));
  CAF_CHECK_EQUAL(x.features.interval, 3 * second);
  CAF_CHECK_EQUAL(x.windows.allow_late_ms, 7);
  CAF_CHECK_EQUAL(x.windows.flush_timeout_ms, 8);
  CAF_CHECK_EQUAL(x.gateway.port, 9);
  CAF_CHECK(x.log.level == log::level::warning);
  CAF_CHECK(loaded("telemetry: {}\n") == settings{}); // what is not said keeps the default of today
  CAF_CHECK(loaded("producers: {synthetic: {enabled: false, symbols: [A]}}\n") == settings{});
}

CAF_TEST(the rate is that of all symbols together) {
  auto x = loaded("producers: {synthetic: {enabled: true, symbols: [A, B, C, D], tick_rate: 0.1}}\n");
  CAF_CHECK_EQUAL(x.feeds.at(0).command.at(4), "0.4");
}

CAF_TEST(names of today may stand beside founding ones but no setting twice) {
  auto x = loaded("data_directory: d\ngateway: {address: \"::1\"}\ntelemetry: {metrics_port: 9}\n"
                  "feeds: [{name: other, command: [a]}]\nproducers: {synthetic: {enabled: true, symbols: [A]}}\n");
  CAF_CHECK_EQUAL(x.data_directory, "d");
  CAF_CHECK_EQUAL(x.feeds.size(), 2u);
  CAF_CHECK_EQUAL(message_of("gateway: {port: 1}\ntelemetry: {metrics_port: 9}\n"),
                  "t.yaml:2:27: key `telemetry.metrics_port` and key `gateway.port` are one setting; keep one of them");
  CAF_CHECK_EQUAL(message_of("micro_batch: {window_ms: 2000}\nfeatures: {interval: 2s}\n"),
                  "t.yaml:1:26: key `micro_batch.window_ms` and key `features.interval` are one setting; keep one of "
                  "them");
  CAF_CHECK_EQUAL(message_of("feeds: [{name: synthetic, command: [a]}]\n"
                             "producers: {synthetic: {enabled: true, symbols: [A]}}\n"),
                  "t.yaml:2:24: key `producers.synthetic` and feed `synthetic` of `feeds` are one feed; keep one of "
                  "them, or give the feed another name");
}

CAF_TEST(a note is given only about what is there) {
  auto notes_of = [](const std::string& yaml) {
    std::vector<std::string> notes;
    loaded(yaml, &notes);
    return notes;
  };
  CAF_CHECK(notes_of("telemetry: {metrics_port: 9}\n").empty());
  CAF_CHECK(notes_of("gateway: {port: 9}\n").empty());
  CAF_CHECK(notes_of("bus: {redis: {uri: redis://a}}\n").empty());
  CAF_CHECK_EQUAL(notes_of("bus: {type: embedded}\nmicro_batch: {max_batch_size: 5}\n"),
                  (std::vector<std::string>{"`micro_batch.max_batch_size` has no effect"}));
}

CAF_TEST(mistakes in a founding file are told with their place) {
  std::vector<std::pair<std::string, std::string>> rows{
    {"micro_batch:\n  windw_ms: 5\n", "t.yaml:2:3: key `micro_batch.windw_ms` is not known; did you mean `window_ms`?"},
    {"micro_batch:\n  window_ms: 1500\n",
     "t.yaml:2:14: key `micro_batch.window_ms` must be the length of a bar in milliseconds: 1000, 2000, 3000, 4000, "
     "5000, 6000, 10000 ..., not 1500"},
    {"micro_batch:\n  window_ms: 2s\n",
     "t.yaml:2:14: key `micro_batch.window_ms` must be a whole number from 1 to 86400000, not `2s`"},
    {"producers:\n  ibkr: {}\n", "t.yaml:2:3: key `producers.ibkr` is not known; known here: synthetic"},
    {"producers:\n  synthetic:\n    enabled: true\n",
     "t.yaml:3:5: key `producers.synthetic` needs `symbols`: a list of at least one name"},
    {"producers:\n  synthetic: {enabled: true, symbols: [\"A,B\"]}\n",
     "t.yaml:2:40: `A,B` is no plain name of a symbol: it is empty or has a comma, a quote or a backslash"},
    {"producers:\n  synthetic: {enabled: true, symbols: [A], tick_rate: 0}\n",
     "t.yaml:2:55: key `producers.synthetic.tick_rate` must be more than 0 and, times the number of symbols, at most "
     "10000000; it is 0"},
    {"producers:\n  synthetic: {enabled: true, symbols: [A], tick_rate: fast}\n",
     "t.yaml:2:55: key `producers.synthetic.tick_rate` must be a number such as 1, -0.5 or 1e-3, not `fast`"},
    {"producers:\n  synthetic: {enabled: true, symbols: [A], price_volatility: 2}\n",
     "t.yaml:2:62: key `producers.synthetic.price_volatility` must be a number from 0 to 0.1, not 2"},
    {"telemetry:\n  log_level: LOUD\n",
     "t.yaml:2:14: key `telemetry.log_level` must be DEBUG, INFO, WARNING, ERROR or CRITICAL, not `LOUD`"},
    {"telemetry:\n  metrics_port: 70000\n",
     "t.yaml:2:17: key `telemetry.metrics_port` must be a whole number from 0 to 65535, not `70000`"},
    {"bus:\n  type: kafka\n  redis: {uri: a}\n", "t.yaml:2:9: key `bus.type` must be redis where `bus.redis` is given"},
    {"bus:\n  redis: {uri: a}\n  broker: {url: b}\n",
     "t.yaml:2:16: key `bus.redis.uri` and key `bus.broker.url` are one setting; keep one of them"},
    {"bus:\n  redis: {stream: a}\n",
     "t.yaml:2:10: key `bus.redis` needs `uri`: where it is, such as redis://127.0.0.1:6379/0"},
    {"bus:\n  redis:\n    url: a\n", "t.yaml:3:5: key `bus.redis.url` is not known; did you mean `uri`?"},
    {"telemetry: 5\n", "t.yaml:1:12: key `telemetry` must be a map of settings, not a single value"},
  };
  for (auto& [yaml, message] : rows) CAF_CHECK_EQUAL(message_of(yaml), message);
}

CAF_TEST(every cut of the founding config is good or has an error) {
  std::ostringstream text;
  text << std::ifstream{FINSTREAM_SOURCE_DIR "/tests/runtime/founding/streaming.yaml"}.rdbuf();
  auto good = text.str();
  for (std::size_t i = 0; i < good.size(); ++i)
    for (auto& yaml : {good.substr(0, i), std::string{good}.erase(i, 1)}) {
      auto message = message_of(yaml);
      CAF_CHECK(message.empty() || message.starts_with("t.yaml:"));
    }
}
