// Feature vectors and rules in few words.
#pragma once

#include "actors/logic/rule_stage.hpp"
#include "messages/codec/msgpack.hpp"

#include <random>

namespace finstream::test {

inline constexpr timestamp first_start{1'761'312'600 * second}; // 2025-10-24T13:30:00Z

// The vector at the close of the `n`th bar of one second.
inline feature_vector vector_at(std::int64_t n, std::vector<std::pair<std::string, std::optional<double>>> values,
                                const std::string& symbol = "SPY", const std::string& provider = "nyse") {
  feature_vector x;
  x.provider = provider;
  x.symbol = symbol;
  x.interval = second;
  x.start = first_start + n * second;
  x.end = x.start + second;
  x.close = {{100 * units_per_one}};
  x.first_offset = static_cast<std::uint64_t>(10 * n);
  x.last_offset = static_cast<std::uint64_t>(10 * n + 9);
  for (auto& [name, value] : values) {
    auto& made = x.values.emplace_back();
    made.name = name;
    made.value = value;
    made.window_start = x.end - 10 * second;
  }
  return x;
}

inline signal_rule rule_of(const std::string& name, const std::string& condition) {
  signal_rule x;
  x.name = name;
  x.condition = condition;
  x.signal = 1;
  x.score = 0.5;
  return x;
}

inline rule_book book_of(std::vector<signal_rule> rules) {
  rule_book x;
  x.rules = std::move(rules);
  x.names = {{"rsi", "rsi_14"}, {"mom", "mom_10"}, {"close", std::string{bar_close}}};
  x.schema = 5;
  x.config_hash = 6;
  return x;
}

// The n of the vectors at which there was a signal.
inline std::vector<std::int64_t> bars_of(const std::vector<signal>& signals) {
  std::vector<std::int64_t> out;
  for (auto& x : signals) out.push_back((x.bar_start - first_start) / second);
  return out;
}

inline std::string bytes_of(const std::vector<signal>& signals) {
  return to_msgpack(std::vector<derived>{signals.begin(), signals.end()});
}

inline signal_rule random_rule(std::mt19937_64& random, int number) {
  static const std::vector<std::string> conditions{"rsi > 70",    "rsi < 30", "mom > 0", "rsi > 50 and mom < 0",
                                                   "close > 100", "mom"};
  auto x = rule_of("rule" + std::to_string(number), conditions[random() % conditions.size()]);
  x.emit = random() % 2 == 0 ? emit_when::edge : emit_when::level;
  x.cooldown = random() % 2 == 0 ? 0 : static_cast<nanoseconds>(random() % 5) * second;
  if (random() % 3 == 0) x.symbols = {"SPY", "AAPL"};
  x.signal = static_cast<double>(random() % 3) - 1;
  return x;
}

inline rule_book random_book(std::mt19937_64& random) {
  std::vector<signal_rule> rules;
  for (int i = 0; i < 4; ++i)
    if (random() % 4 != 0) rules.push_back(random_rule(random, i));
  return book_of(rules);
}

// Of three symbols and two providers; some come again, some late, some are revised.
inline std::vector<feature_vector> random_vectors(std::mt19937_64& random, int count) {
  static const std::vector<std::string> symbols{"SPY", "AAPL", "MSFT"}, providers{"nyse", "arca"};
  std::vector<feature_vector> out;
  for (int i = 0; i < count; ++i) {
    auto value = [&](double scale, double shift) -> std::optional<double> {
      if (random() % 8 == 0) return std::nullopt;
      return scale * static_cast<double>(random() % 1000) / 1000 + shift;
    };
    auto n = i / 4 - (random() % 10 == 0 ? 2 : 0);
    auto x = vector_at(n, {{"rsi_14", value(100, 0)}, {"mom_10", value(2, -1)}}, symbols[random() % 3],
                       providers[random() % 2]);
    x.close = {{static_cast<std::int64_t>(95 + random() % 10) * units_per_one}};
    if (random() % 10 == 0) x.revision = 1;
    if (random() % 5 == 0) x.inputs_revision = 2;
    out.push_back(x);
  }
  return out;
}

} // namespace finstream::test
