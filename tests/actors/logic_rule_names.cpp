// What the names in a condition stand for.
#define CAF_SUITE rule_names

#include "actors/logic/rule_names.hpp"
#include "tests/support/suite.hpp"

#include <map>

using namespace finstream;

namespace {

feature_window window(const std::string& name, nanoseconds horizon) {
  return {.name = name, .kind = *feature_kind_of(name), .horizon = horizon};
}

signal_rule rule(const std::string& condition) {
  signal_rule x;
  x.name = x.condition = condition;
  return x;
}

std::map<std::string, std::string> bound(const std::vector<feature_window>& windows) {
  auto names = rule_names(windows);
  std::map<std::string, std::string> out{names.begin(), names.end()};
  CAF_CHECK_EQUAL(out.size(), names.size()); // each once
  return out;
}

} // namespace

CAF_TEST(a name of a window is its value and a plain name is the first window of its kind) {
  auto names = bound({window("vwap_1m", 60 * second), window("vol_5m", 300 * second), window("vwap_5m", 300 * second),
                      window("skew_1m", 60 * second)});
  CAF_CHECK_EQUAL(names["vwap_1m"], "vwap_1m");
  CAF_CHECK_EQUAL(names["vwap_5m"], "vwap_5m");
  CAF_CHECK_EQUAL(names["vwap"], "vwap_1m");
  CAF_CHECK_EQUAL(names["vol"], "vol_5m");
  CAF_CHECK_EQUAL(names["volatility"], "vol_5m");
  CAF_CHECK_EQUAL(names["skewness"], "skew_1m");
  CAF_CHECK_EQUAL(names["close"], std::string{bar_close});
  CAF_CHECK_EQUAL(names.count("rsi"), 0u);
  CAF_CHECK_EQUAL(names.count("high"), 0u);
}

CAF_TEST(a window of ohlcv has five values) {
  auto names = bound({window("ohlcv_1m", 60 * second)});
  CAF_CHECK_EQUAL(names["ohlcv_1m.high"], "ohlcv_1m.high");
  CAF_CHECK_EQUAL(names["ohlcv_1m.close"], "ohlcv_1m.close");
  CAF_CHECK_EQUAL(names["high"], "ohlcv_1m.high");
  CAF_CHECK_EQUAL(names["volume"], "ohlcv_1m.volume");
  CAF_CHECK_EQUAL(names["close"], std::string{bar_close}); // of the bar, always
  CAF_CHECK_EQUAL(names.count("ohlcv_1m"), 0u);
  rule_book book;
  book.names = rule_names({window("ohlcv_1m", 60 * second)});
  book.rules = {rule("ohlcv_1m_high > ohlcv_1m.low")};
  CAF_CHECK(check_conditions(book).empty());
}

CAF_TEST(a window with a plain name of its own kind is that name) {
  auto names = bound({window("vol_5m", 300 * second), window("vol", 60 * second)});
  CAF_CHECK_EQUAL(names["vol"], "vol");
  CAF_CHECK_EQUAL(names["volatility"], "vol_5m");
}

CAF_TEST(what rules use by a plain name and no window has is added) {
  std::vector<feature_window> configured{window("vwap_1m", 60 * second), window("ret_30s", 30 * second),
                                         window("vol_5m", 300 * second)};
  std::vector<signal_rule> rules{rule("rsi > 70 && rsi < 90"), rule("volatility > 0.3"), rule("momentum > 0.01"),
                                 rule("skewness > vwap_1m"), rule("wrong > 1")};
  auto added = default_windows(rules, configured);
  CAF_CHECK(added == (std::vector<feature_window>{{.name = "rsi", .kind = feature_kind::rsi, .bars = 14},
                                                  {.name = "momentum", .kind = feature_kind::momentum, .bars = 10},
                                                  {.name = "skew", .kind = feature_kind::skew, .bars = 20}}));
  std::swap(rules[0], rules[3]);
  CAF_CHECK(default_windows(rules, configured) == added);
  auto all = configured;
  all.insert(all.end(), added.begin(), added.end());
  CAF_CHECK(default_windows(rules, all).empty());
  rule_book book;
  book.rules = rules;
  book.names = rule_names(all);
  auto faults = check_conditions(book);
  CAF_REQUIRE_EQUAL(faults.size(), 1u);
  CAF_CHECK_EQUAL(faults[0].rule, 4u);
  CAF_CHECK(faults[0].why.message.starts_with("column 1 of `wrong > 1`: `wrong` is not known"));
}

CAF_TEST(every plain name can be used without any window) {
  std::vector<signal_rule> rules;
  for (auto* name : {"vwap", "ret", "logret", "vol", "volatility", "vol_ann", "rsi", "momentum", "momentum_abs", "skew",
                     "skewness", "kurt", "kurtosis", "open", "high", "low", "close", "volume"})
    rules.push_back(rule(name));
  auto added = default_windows(rules, {});
  CAF_CHECK_EQUAL(added.size(), 11u); // one of each kind
  rule_book book;
  book.rules = rules;
  book.names = rule_names(added);
  CAF_CHECK(check_conditions(book).empty());
  CAF_CHECK(default_windows({rule("close > 1")}, {}).empty());
}

CAF_TEST(the founding rules over the founding windows need two windows more) {
  std::vector<feature_window> configured{window("vwap_1m", 60 * second), window("ret_30s", 30 * second),
                                         window("vol_5m", 300 * second)};
  rule_book book;
  for (auto* condition : {"momentum > 0.01", "momentum < -0.01", "volatility > 0.3", "rsi > 70", "rsi < 30"})
    book.rules.push_back(rule(condition));
  auto added = default_windows(book.rules, configured);
  CAF_REQUIRE_EQUAL(added.size(), 2u);
  CAF_CHECK_EQUAL(added[0].name, "rsi");
  CAF_CHECK_EQUAL(added[1].name, "momentum");
  configured.insert(configured.end(), added.begin(), added.end());
  book.names = rule_names(configured);
  CAF_CHECK(check_conditions(book).empty());
}
