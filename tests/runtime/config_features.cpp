// The settings of features and of what makes signals of them: which make sense, and what is hashed of them.
#define CAF_SUITE config_features

#include "runtime/config/load.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <set>

using namespace finstream;

namespace {

const environment no_variables = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };

settings loaded(const std::string& yaml) {
  auto result = parse_settings(yaml, "t.yaml", no_variables);
  if (!result) CAF_ERROR(result.error().message);
  return result ? *result : settings{};
}

std::string message_of(const std::string& yaml) {
  auto result = parse_settings(yaml, "t.yaml", no_variables);
  return result ? "" : result.error().message;
}

// Of a file with this one window.
std::string about_window(const std::string& window) {
  return message_of("features:\n  windows:\n    - {" + window + "}\n");
}

} // namespace

CAF_TEST(windows are read with their horizon and kind) {
  auto x = loaded(R"(
windows: {intervals: [1s, 5s]}
features:
  interval: 5s
  windows:
    - { name: "vwap_1m", horizon: "60s" }
    - { name: rsi, bars: 14, mode: talib }
    - { name: wild, kind: vol_ann, horizon: 5m }
  year: 252d
)");
  CAF_CHECK_EQUAL(x.features.interval, 5 * second);
  CAF_CHECK_EQUAL(x.features.year, 252 * 86'400 * second);
  CAF_REQUIRE_EQUAL(x.features.windows.size(), 3u);
  CAF_CHECK_EQUAL(x.features.windows[0].horizon, 60 * second);
  CAF_CHECK(kind_of(x.features.windows[0]) == feature_kind::vwap);
  CAF_CHECK_EQUAL(x.features.windows[1].bars, 14u);
  CAF_CHECK(x.features.windows[1].mode == rsi_mode::talib);
  CAF_CHECK(kind_of(x.features.windows[2]) == feature_kind::vol_ann);
}

CAF_TEST(every kind can be named) {
  for (int i = 0; i <= static_cast<int>(feature_kind::kurt); ++i) {
    auto kind = static_cast<feature_kind>(i);
    auto x =
      loaded("features:\n  windows:\n    - {name: other, bars: 5, kind: " + std::string{to_string(kind)} + "}\n");
    CAF_CHECK(kind_of(x.features.windows.at(0)) == kind);
  }
}

CAF_TEST(a window that says too little or too much is refused) {
  CAF_CHECK_EQUAL(about_window("horizon: 60s"), "t.yaml:3:7: `features.windows[0]` needs a `name`");
  CAF_CHECK_EQUAL(about_window("name: vol_5m"),
                  "t.yaml:3:7: `features.windows[0]` needs either a `horizon` of time or a number of `bars`");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, horizon: 60s, bars: 5"),
                  "t.yaml:3:7: `features.windows[0]` needs either a `horizon` of time or a number of `bars`");
  CAF_CHECK_EQUAL(about_window("name: wild, bars: 5"),
                  "t.yaml:3:14: window `wild` does not say what it is: let its name begin with vwap, ohlcv, ret, "
                  "logret, vol, vol_ann, rsi, momentum, momentum_abs, skew or kurt, as in vol_5m, or give its `kind`");
  CAF_CHECK_EQUAL(about_window("name: rsi, bars: 5, kind: vol"),
                  "t.yaml:3:14: window `rsi` is called like something else than it is");
  CAF_CHECK_EQUAL(about_window("name: close, bars: 5, kind: vol"),
                  "t.yaml:3:14: window `close` is called like something else than it is");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, bars: 5, mode: talib"),
                  "t.yaml:3:37: window `vol_5m` is no rsi, and only rsi has a mode");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, horizon: 1500ms"),
                  "t.yaml:3:31: `1500ms` is not a whole number of bars of 1s");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, horizon: 1d"),
                  "t.yaml:3:7: window `vol_5m` looks back on 86400 bars of 1s; `features.max_bars` allows 10000");
  CAF_CHECK_EQUAL(about_window("name: vol-5m, bars: 5"),
                  "t.yaml:3:14: key `features.windows[0].name` must be a name of up to 64 letters, digits and `_` that "
                  "begins with a letter, not `vol-5m`");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, horizon: soon"),
                  "t.yaml:3:31: key `features.windows[0].horizon` must be a span from 0s to 366d, not `soon`");
  CAF_CHECK_EQUAL(
    about_window("name: a, bars: 5, kind: volt"),
    "t.yaml:3:32: key `features.windows[0].kind` must be by_name, vwap, ohlcv, ret, logret, vol, vol_ann, "
    "rsi, momentum, momentum_abs, skew or kurt, not `volt`");
  CAF_CHECK_EQUAL(about_window("name: vol_5m, horizn: 60s"),
                  "t.yaml:3:22: key `features.windows[0].horizn` is not known; did you mean `horizon`?");
  CAF_CHECK_EQUAL(message_of("features:\n  windows: [{name: vol, bars: 5}, {name: vol, bars: 6}]\n"),
                  "t.yaml:2:42: window `vol` is there twice; each needs a name of its own");
}

CAF_TEST(features are computed of bars that are built) {
  CAF_CHECK_EQUAL(
    message_of("windows: {intervals: [5s]}\nfeatures:\n  interval: 2s\n  windows: [{name: vol, bars: 5}]\n"),
    "t.yaml:3:13: features are computed of bars of 2s (`features.interval`), which `windows.intervals` "
    "does not have; add it there, or choose one of those");
  CAF_CHECK_EQUAL(
    message_of("features:\n  interval: 7s\n"),
    "t.yaml:2:13: key `features.interval` must be a span of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 s or m, "
    "of 1, 2, 3, 4, 6, 8 or 12 h, or 1d, not `7s`");
  CAF_CHECK_EQUAL(message_of("windows: {intervals: [5s]}\n"), ""); // nothing is computed
}

CAF_TEST(rules and models that are enabled need a file) {
  CAF_CHECK_EQUAL(message_of("inference:\n  adapters:\n    rules: {enabled: true}\n"),
                  "t.yaml:3:12: rules are enabled, but `inference.adapters.rules.file` does not say where they are");
  CAF_CHECK_EQUAL(
    message_of("inference:\n  adapters:\n    sklearn: {enabled: true}\n"),
    "t.yaml:3:14: the model is enabled, but `inference.adapters.sklearn.model_path` does not say where it is");
  CAF_CHECK_EQUAL(message_of("inference:\n  adapters:\n    xgboost: {enabled: true, model_path: m.ubj, emit: level}\n"),
                  "");
  CAF_CHECK_EQUAL(message_of("inference:\n  adapters:\n    sklearn: {enabled: false, model_path: ''}\n"), "");
  CAF_CHECK_EQUAL(message_of("inference:\n  adapters:\n    rulez: {}\n"),
                  "t.yaml:3:5: key `inference.adapters.rulez` is not known; did you mean `rules`?");
  CAF_CHECK_EQUAL(message_of("inference:\n  rules: {}\n"),
                  "t.yaml:2:3: key `inference.rules` is not known; known here: adapters, models");
}

CAF_TEST(the rules are looked for beside the config file and then where the program runs) {
  test::temp_dir directory;
  auto config = directory.path() + "/node.yaml";
  std::ofstream{config} << "inference: {adapters: {rules: {enabled: true, file: sub/rules.yaml}}}\n";
  auto file = [&] { return load_settings(config, no_variables)->inference.rules.file; };
  CAF_CHECK_EQUAL(file(), "sub/rules.yaml");
  std::filesystem::create_directory(directory.path() + "/sub");
  std::ofstream{directory.path() + "/sub/rules.yaml"} << "[]\n";
  CAF_CHECK_EQUAL(file(), directory.path() + "/sub/rules.yaml");
  std::ofstream{config} << "inference: {adapters: {rules: {enabled: true, file: /etc/rules.yaml}}}\n";
  CAF_CHECK_EQUAL(file(), "/etc/rules.yaml");
}

CAF_TEST(the hashes of what decides features and signals never change for the same settings) {
  // DO NOT CHANGE THESE VALUES: they are in every feature and signal made with the defaults.
  CAF_CHECK_EQUAL(features_hash({}), 0x3fa6d3422db02be2u);
  CAF_CHECK_EQUAL(signals_hash({}, {}), 0x47d2512155a7bc0du);
}

CAF_TEST(each hash changes with what decides its stage or one before and with nothing else) {
  settings base;
  base.features.windows = {{.name = "vol_5m", .horizon = 300 * second}, {.name = "rsi", .bars = 14}};
  std::vector<rule_settings> rules(2);
  rules[0].name = "a", rules[1].name = "b";
  std::set<std::uint64_t> features{features_hash(base)}, signals{signals_hash(base, rules)};
  auto decides_features = [&](auto change) {
    auto x = base;
    change(x);
    CAF_CHECK(features.insert(features_hash(x)).second);
    CAF_CHECK(signals.insert(signals_hash(x, rules)).second);
  };
  decides_features([](auto& x) { x.windows.allow_late_ms = 1; });
  decides_features([](auto& x) { x.features.interval = 2 * second; });
  decides_features([](auto& x) { x.features.year = 252 * 86'400 * second; });
  decides_features([](auto& x) { x.features.windows[0].name = "vol"; });
  decides_features([](auto& x) { x.features.windows[0].horizon = second; });
  decides_features([](auto& x) { x.features.windows[0].kind = window_kind::ret; });
  decides_features([](auto& x) { x.features.windows[1].bars = 15; });
  decides_features([](auto& x) { x.features.windows[1].mode = rsi_mode::talib; });
  decides_features([](auto& x) { std::swap(x.features.windows[0], x.features.windows[1]); });
  auto decides_signals = [&](auto change) {
    auto x = base;
    auto changed = rules;
    change(x, changed);
    CAF_CHECK_EQUAL(features_hash(x), features_hash(base));
    CAF_CHECK(signals.insert(signals_hash(x, changed)).second);
  };
  decides_signals([](auto& x, auto&) { x.inference.rules.enabled = true; });
  decides_signals([](auto&, auto& r) { r[0].name = "c"; });
  decides_signals([](auto&, auto& r) { r[0].condition = "rsi > 1"; });
  decides_signals([](auto&, auto& r) { r[0].signal = 1; });
  decides_signals([](auto&, auto& r) { r[0].score = 1; });
  decides_signals([](auto&, auto& r) { r[0].emit = rule_emit::level; });
  decides_signals([](auto&, auto& r) { r[0].cooldown = 1; });
  decides_signals([](auto&, auto& r) { r[0].symbols = {"A", "B"}; });
  decides_signals([](auto&, auto& r) { std::swap(r[0], r[1]); });
  std::set<std::uint64_t> models{model_signals_hash(base, {})};
  auto decides_model = [&](auto change) {
    auto x = base;
    model_adapter_settings model;
    change(x, model);
    return models.insert(model_signals_hash(x, model)).second;
  };
  CAF_CHECK(decides_model([](auto&, auto& m) { m.emit = rule_emit::level; }));
  CAF_CHECK(decides_model([](auto&, auto& m) { m.cooldown = second; }));
  CAF_CHECK(decides_model([](auto& x, auto&) { x.features.windows[1].bars = 15; }));
  CAF_CHECK(!decides_model([](auto& x, auto& m) { x.inference.rules.enabled = true, m.deadline_ms = 7; }));
  auto same = base; // what is said in another way is the same
  same.features.windows[0].kind = window_kind::vol;
  same.gateway.port = 1, same.inference.rules.file = "other";
  CAF_CHECK_EQUAL(signals_hash(same, rules), signals_hash(base, rules));
}
