#define CAF_SUITE feature

#include "tests/support/suite.hpp"

#include "messages/event/feature.hpp"

using namespace finstream;

CAF_TEST(the kind of a window is read from the start of its name) {
  using enum feature_kind;
  for (auto [name, kind] : {std::pair{"vwap_1m", vwap},
                            {"ret_30s", ret},
                            {"vol_5m", vol},
                            {"vol_ann_5m", vol_ann},
                            {"volatility", vol},
                            {"momentum", momentum},
                            {"momentum_abs_10", momentum_abs},
                            {"rsi", rsi},
                            {"logret_1m", logret},
                            {"skewness_20", skew},
                            {"kurt_20", kurt}})
    CAF_CHECK(feature_kind_of(name) == kind);
  for (auto* name : {"", "volume", "vwapx", "rsi14", "_rsi", "Momentum"}) CAF_CHECK(!feature_kind_of(name));
}

CAF_TEST(every kind is called by its own name) {
  for (int i = 0; i <= static_cast<int>(feature_kind::kurt); ++i) {
    auto kind = static_cast<feature_kind>(i);
    CAF_CHECK(feature_kind_of(to_string(kind)) == kind);
  }
}
