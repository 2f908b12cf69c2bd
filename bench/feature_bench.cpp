// What features and rules cost at the close of a bar: the windows of the first config file (vwap_1m, ret_30s, vol_5m)
// and those its rules need (rsi over 14 bars, momentum over 10), over bars of one second, for 100 and 10,000 symbols
// whose history is full; then the five rules over each vector. Beside it the floor: one pass over the closes of the
// longest horizon. One JSON object a case.
#include "actors/logic/feature_stage.hpp"
#include "actors/logic/rule_names.hpp"
#include "actors/logic/rule_stage.hpp"

#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace finstream;

constexpr int warm_up_bars = 300; // the longest horizon
constexpr timestamp begin{1'795'252'200'000'000'000};
volatile double floor_sum = 0; // or the floor would be left out

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::vector<signal_rule> founding_rules() {
  auto rule = [](const char* name, const char* condition) {
    signal_rule x;
    x.name = name, x.condition = condition, x.signal = 1, x.score = 0.5;
    return x;
  };
  return {rule("up", "momentum > 0.01"), rule("down", "momentum < -0.01"), rule("volatile", "volatility > 0.3"),
          rule("overbought", "rsi > 70"), rule("oversold", "rsi < 30")};
}

// A random walk, the same on every run.
class market {
public:
  explicit market(std::size_t symbols) : cents_(symbols, 42'515) {}
  bar next(std::size_t symbol, int second_number) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    cents_[symbol] += static_cast<std::int64_t>((state_ >> 33) % 21) - 10;
    bar x;
    x.provider = "synthetic", x.symbol = "SYM" + std::to_string(symbol), x.interval = second;
    x.start = begin + second_number * second, x.end = x.start + second;
    x.open.units = x.high.units = x.low.units = x.close.units = cents_[symbol] * 10'000'000;
    x.volume.units = 100 * units_per_one;
    x.traded = multiply(x.close, x.volume);
    x.trades = 10;
    return x;
  }

private:
  std::uint64_t state_ = 42;
  std::vector<std::int64_t> cents_;
};

void measure(std::size_t symbols, int bars) {
  feature_rules features;
  features.windows = {{"vwap_1m", feature_kind::vwap, 60 * second, 0},
                      {"ret_30s", feature_kind::ret, 30 * second, 0},
                      {"vol_5m", feature_kind::vol, 300 * second, 0}};
  rule_book book;
  book.rules = founding_rules();
  for (auto& x : default_windows(book.rules, features.windows)) features.windows.push_back(x);
  book.names = rule_names(features.windows);
  feature_stage stage{features};
  rule_stage rules{book};
  market made{symbols};
  double features_cpu_s = 0, rules_cpu_s = 0, floor_cpu_s = 0;
  std::uint64_t counted = 0, signals = 0;
  std::vector<double> closes(300, 1.0);
  double sum = 0;
  for (int n = 0; n < warm_up_bars + bars; ++n) {
    std::vector<bar> closed;
    for (std::size_t s = 0; s < symbols; ++s) closed.push_back(made.next(s, n));
    auto t0 = cpu_seconds();
    for (auto& x : closed) stage.on_bar(x);
    auto vectors = stage.take_output();
    auto t1 = cpu_seconds();
    for (auto& x : vectors) rules.on_features(x);
    signals += rules.take_output().size();
    auto t2 = cpu_seconds();
    for (std::size_t s = 0; s < symbols; ++s) {
      closes[s % closes.size()] = static_cast<double>(closed[s].close.units);
      for (auto x : closes) sum += x;
    }
    auto t3 = cpu_seconds();
    if (n < warm_up_bars) continue;
    features_cpu_s += t1 - t0, rules_cpu_s += t2 - t1, floor_cpu_s += t3 - t2;
    counted += symbols;
  }
  auto t4 = cpu_seconds();
  auto state_bytes = stage.save().size() + rules.save().size();
  auto save_cpu_s = cpu_seconds() - t4;
  auto each = [&](double s) { return s / static_cast<double>(counted) * 1e9; };
  std::printf("{\"name\":\"features_%zu\",\"bars\":%llu,\"features_ns_per_bar\":%.0f,\"rules_ns_per_bar\":%.0f,"
              "\"floor_ns_per_bar\":%.0f,\"signals\":%llu,\"state_bytes_per_symbol\":%zu,\"save_ms\":%.1f}\n",
              symbols, static_cast<unsigned long long>(counted), each(features_cpu_s), each(rules_cpu_s),
              each(floor_cpu_s), static_cast<unsigned long long>(signals), state_bytes / symbols, save_cpu_s * 1e3);
  floor_sum = sum;
}

} // namespace

int main() {
  measure(100, 1000);
  measure(10'000, 20);
  return 0;
}
