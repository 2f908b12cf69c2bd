// The language of tests about features: bars of one second, made of a time and a close, and what a stage says of them.
#pragma once

#include "actors/logic/feature_stage.hpp"
#include "tests/support/market.hpp"

#include <string>
#include <utility>
#include <vector>

namespace finstream::test {

// A bar of `volume` at one price. Its offsets are those of a log in which each second has ten events.
inline bar bar_of(std::int64_t at_second, const std::string& close, const std::string& volume = "1") {
  bar x;
  x.provider = "nyse";
  x.symbol = "SPY";
  x.interval = second;
  x.start = {at_second * second};
  x.end = x.start + x.interval;
  x.open.units = x.high.units = x.low.units = x.close.units = units(close);
  x.volume.units = units(volume);
  x.traded = multiply(x.close, x.volume);
  x.vwap = volume_weighted_average(x.traded, x.volume);
  x.first_offset = static_cast<std::uint64_t>(at_second) * 10;
  x.last_offset = x.first_offset + 9;
  return x;
}
inline bar ohlc_of(std::int64_t at_second, const std::string& open, const std::string& high, const std::string& low,
                   const std::string& close, const std::string& volume) {
  auto x = bar_of(at_second, close, volume);
  x.open.units = units(open), x.high.units = units(high), x.low.units = units(low);
  return x;
}
inline bar revised(bar x, std::uint32_t revision) {
  x.revision = revision;
  x.state = bar_state::revised;
  return x;
}

inline feature_window over(std::string name, nanoseconds horizon) {
  auto kind = *feature_kind_of(name);
  return {std::move(name), kind, horizon, 0, false};
}
inline feature_window over_bars(std::string name, std::uint32_t bars) {
  auto kind = *feature_kind_of(name);
  return {std::move(name), kind, 0, bars, false};
}
inline feature_rules rules_of(std::vector<feature_window> windows, nanoseconds revise_for = 0) {
  feature_rules rules;
  rules.windows = std::move(windows);
  rules.revise_for = revise_for;
  return rules;
}

inline std::vector<feature_vector> vectors_of(feature_stage& stage, const std::vector<bar>& bars) {
  for (auto& x : bars) stage.on_bar(x);
  return stage.take_output();
}
inline std::vector<feature_vector> vectors_of(const feature_rules& rules, const std::vector<bar>& bars) {
  feature_stage stage{rules};
  return vectors_of(stage, bars);
}

inline const feature_value& value_of(const feature_vector& x, const std::string& name) {
  auto at = std::find_if(x.values.begin(), x.values.end(), [&](auto& v) { return v.name == name; });
  ensure(at != x.values.end(), "a test names a value");
  return *at;
}
// The value of the only window, after each bar: "exact" where it has one.
inline std::string told(const std::vector<feature_vector>& vectors) {
  std::string out;
  for (auto& x : vectors) {
    auto& v = x.values.at(0);
    auto number = std::to_string(v.value.value_or(0));
    out += (out.empty() ? "" : " ") + (v.exact ? to_string(*v.exact) : v.value ? number : "null") + (v.warm ? "" : "?");
  }
  return out;
}
inline std::string bytes_of(const std::vector<feature_vector>& vectors) {
  std::vector<derived> records{vectors.begin(), vectors.end()};
  return to_msgpack(records);
}

} // namespace finstream::test
