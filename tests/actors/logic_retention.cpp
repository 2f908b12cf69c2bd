#define CAF_SUITE retention

#include "actors/logic/retention.hpp"
#include "tests/support/suite.hpp"

#include <vector>

using namespace finstream;

namespace {

constexpr nanoseconds hour = 3600 * second;

// A base every `step`, if one is wanted; cut as soon as may be. Returns the ages of the log's beginning at each step.
std::vector<nanoseconds> ages(retention& kept, nanoseconds step, int steps) {
  std::vector<nanoseconds> out;
  std::uint64_t head = 0;
  timestamp head_ts;
  for (int i = 1; i <= steps; ++i) {
    timestamp now{i * step};
    if (kept.wants_base(now)) kept.put(kept.next_slot(head), {now, static_cast<std::uint64_t>(i), 0, 0});
    if (auto cut = kept.newest_to_cut_at(now)) head = cut->offset, head_ts = cut->log_ts;
    out.push_back(now - head_ts);
  }
  return out;
}

} // namespace

CAF_TEST(what is to be kept is kept and little more) {
  for (nanoseconds step : {second, 7 * second, 60 * second, 700 * second}) {
    retention kept{hour};
    auto all = ages(kept, step, 20'000);
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto passed = static_cast<nanoseconds>(i + 1) * step;
      CAF_CHECK(all[i] >= std::min(passed, hour));
      CAF_CHECK(all[i] <= hour + hour / 6 + 2 * step);
    }
  }
}

CAF_TEST(a log that is kept for ever has no bases and is never cut) {
  retention kept{0};
  CAF_CHECK(!kept.wants_base(timestamp{hour}));
  kept.put(0, {timestamp{1}, 1, 0, 0}); // of a time when there was a limit
  CAF_CHECK(!kept.newest_to_cut_at(timestamp{1'000'000 * hour}));
}

CAF_TEST(the base at which the log begins keeps its slot while all others are used again) {
  retention kept{hour};
  kept.put(0, {timestamp{1}, 5, 0, 0});
  for (std::uint64_t i = 0; i < 50; ++i) {
    auto slot = kept.next_slot(5);
    CAF_CHECK(slot != 0);
    kept.put(slot, {timestamp{2}, 10 + i, 0, 0});
  }
}

CAF_TEST(after a long pause the newest of the old bases is cut at) {
  retention kept{hour};
  for (std::size_t i = 0; i < 3; ++i) kept.put(i, {timestamp{static_cast<nanoseconds>(i) * second}, i + 1, 10 * i, i});
  auto cut = kept.newest_to_cut_at(timestamp{100 * hour});
  CAF_REQUIRE(cut);
  CAF_CHECK((*cut == log_base{timestamp{2 * second}, 3, 20, 2}));
}
