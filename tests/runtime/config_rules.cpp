// The file of rules: the founding one, word for word, and what is said of one with mistakes.
#define CAF_SUITE config_rules

#include "runtime/config/rules_file.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>

using namespace finstream;

namespace {

const environment no_variables = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };

std::string message_of(const std::string& yaml) {
  auto result = parse_rules(yaml, "r.yaml", no_variables);
  if (result) return "";
  CAF_CHECK_EQUAL(to_string(result.error().code), to_string(errc::config_invalid));
  return result.error().message;
}

rule_settings rule(const std::string& name, const std::string& condition, double value, double score) {
  rule_settings x;
  x.name = name, x.condition = condition, x.signal = value, x.score = score;
  return x;
}

} // namespace

CAF_TEST(the founding rules load as they are) {
  auto file = load_rules(FINSTREAM_SOURCE_DIR "/tests/runtime/founding/rules.yaml", no_variables);
  CAF_REQUIRE(file.has_value());
  std::vector<rule_settings> expected{
    rule("price_momentum_up", "momentum > 0.01", 1, 0.8),
    rule("price_momentum_down", "momentum < -0.01", -1, 0.8),
    rule("high_volatility", "volatility > 0.3", 0, 0.9),
    rule("rsi_overbought", "rsi > 70", -1, 0.7),
    rule("rsi_oversold", "rsi < 30", 1, 0.7),
  };
  CAF_CHECK(file->rules == expected);
}

CAF_TEST(a rule can say how often and of which symbols) {
  auto file = parse_rules("- name: a\n  condition: ${WHAT:-rsi > 70}\n  emit: level\n  cooldown: 5m\n  symbols: [SPY, "
                          "'AAPL']\n- {name: b, condition: rsi, signal: -1e-1}\n",
                          "r.yaml", no_variables);
  CAF_REQUIRE(file.has_value());
  auto& x = file->rules.at(0);
  CAF_CHECK_EQUAL(x.condition, "rsi > 70");
  CAF_CHECK(x.emit == rule_emit::level);
  CAF_CHECK_EQUAL(x.cooldown, 300 * second);
  CAF_CHECK_EQUAL(x.symbols, (std::vector<std::string>{"SPY", "AAPL"}));
  CAF_CHECK_EQUAL(file->rules.at(1).signal, -0.1);
  CAF_CHECK(file->rules.at(1).emit == rule_emit::edge);
}

CAF_TEST(what is wrong with a condition is told at its place) {
  auto file =
    parse_rules("- name: a\n  condition: rsi > 70\n- name: b\n  condition:\n    rsl < 30\n", "r.yaml", no_variables);
  CAF_REQUIRE(file.has_value());
  auto why = file->at_condition(1, {errc::invalid_argument, "column 1 of `rsl < 30`: no"});
  CAF_CHECK_EQUAL(why.message, "r.yaml:5:5: rule `b`: column 1 of `rsl < 30`: no");
  CAF_CHECK(why.code == errc::config_invalid);
}

CAF_TEST(a file without rules has none) {
  for (auto* yaml : {"", "[]\n", "# nothing yet\n"}) {
    auto file = parse_rules(yaml, "r.yaml", no_variables);
    CAF_REQUIRE(file.has_value());
    CAF_CHECK(file->rules.empty());
  }
}

CAF_TEST(mistakes are told with their place and what to do) {
  std::vector<std::pair<std::string, std::string>> rows{
    {"- name: a\n  conditon: rsi\n", "r.yaml:2:3: key `rules[0].conditon` is not known; did you mean `condition`?"},
    {"- condition: rsi\n", "r.yaml:1:3: `rules[0]` needs a `name`"},
    {"- name: a\n", "r.yaml:1:3: `rules[0]` needs a `condition`"},
    {"- {name: a, condition: b}\n- {name: a, condition: c}\n",
     "r.yaml:2:10: rule `a` is there twice, first in line 1; each needs a name of its own"},
    {"- {name: a, condition: b, signal: up}\n",
     "r.yaml:1:35: key `rules[0].signal` must be a number such as 1, -0.5 or 1e-3, not `up`"},
    {"- {name: a, condition: b, score: .nan}\n",
     "r.yaml:1:34: key `rules[0].score` must be a number such as 1, -0.5 or 1e-3, not `.nan`"},
    {"- {name: a, condition: b, score: 1e999}\n",
     "r.yaml:1:34: key `rules[0].score` must be a number such as 1, -0.5 or 1e-3, not `1e999`"},
    {"- {name: a, condition: b, emit: always}\n",
     "r.yaml:1:33: key `rules[0].emit` must be edge or level, not `always`"},
    {"- {name: a, condition: b, cooldown: 5}\n",
     "r.yaml:1:37: key `rules[0].cooldown` must be a span from 0s to 366d, not `5`"},
    {"- {name: a b, condition: b}\n", "r.yaml:1:10: key `rules[0].name` must be a name of up to 64 letters, digits, "
                                      "`.`, `_` and `-`, not `a b`"},
    {"- {name: a, condition: b, symbols: SPY}\n",
     "r.yaml:1:36: key `rules[0].symbols` must be a list, not a single value"},
    {"- {name: a, condition: b, symbols: ['']}\n", "r.yaml:1:37: a symbol must not be empty"},
    {"name: a\n", "r.yaml:1:1: a file of rules is a list, each entry beginning with a dash, not a map"},
    {"- a\n", "r.yaml:1:3: `rules[0]` must be a map of settings, not a single value"},
    {"- [\n", "r.yaml:2:1: this is not YAML: end of sequence flow not found"},
  };
  for (auto& [yaml, message] : rows) CAF_CHECK_EQUAL(message_of(yaml), message);
}

CAF_TEST(the number of rules and the size of the file have limits) {
  std::string yaml;
  for (int i = 0; i < 1000; ++i) yaml += "- {name: r" + std::to_string(i) + ", condition: rsi}\n";
  CAF_CHECK_EQUAL(message_of(yaml), "");
  CAF_CHECK_EQUAL(message_of(yaml + "- {name: more, condition: rsi}\n"),
                  "r.yaml:1:1: there are 1001 rules, 1000 are allowed");
  auto about = [](const std::string& path) { return load_rules(path).error().message; };
  CAF_CHECK_EQUAL(about("/dev/zero"), "/dev/zero: the file of rules cannot be read: it is larger than 1 MiB");
  CAF_CHECK_EQUAL(about("/nowhere/r.yaml"),
                  "/nowhere/r.yaml: the file of rules cannot be read: No such file or directory");
}
