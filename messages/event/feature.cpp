#include "messages/event/feature.hpp"

namespace finstream {

namespace {

struct kind_name {
  std::string_view name;
  feature_kind kind;
};
// Of several names that fit, the longest stands first.
constexpr kind_name kind_names[] = {
  {"momentum_abs", feature_kind::momentum_abs},
  {"volatility", feature_kind::vol},
  {"momentum", feature_kind::momentum},
  {"kurtosis", feature_kind::kurt},
  {"skewness", feature_kind::skew},
  {"vol_ann", feature_kind::vol_ann},
  {"return", feature_kind::ret},
  {"logret", feature_kind::logret},
  {"ohlcv", feature_kind::ohlcv},
  {"vwap", feature_kind::vwap},
  {"kurt", feature_kind::kurt},
  {"skew", feature_kind::skew},
  {"ret", feature_kind::ret},
  {"rsi", feature_kind::rsi},
  {"vol", feature_kind::vol},
};

} // namespace

std::string_view to_string(feature_kind kind) {
  switch (kind) {
  case feature_kind::vwap: return "vwap";
  case feature_kind::ohlcv: return "ohlcv";
  case feature_kind::ret: return "ret";
  case feature_kind::logret: return "logret";
  case feature_kind::vol: return "vol";
  case feature_kind::vol_ann: return "vol_ann";
  case feature_kind::rsi: return "rsi";
  case feature_kind::momentum: return "momentum";
  case feature_kind::momentum_abs: return "momentum_abs";
  case feature_kind::skew: return "skew";
  case feature_kind::kurt: return "kurt";
  }
  return "unknown";
}

std::optional<feature_kind> feature_kind_of(std::string_view name) {
  for (auto& x : kind_names)
    if (name == x.name || (name.starts_with(x.name) && name[x.name.size()] == '_')) return x.kind;
  return std::nullopt;
}

} // namespace finstream
