// For what may happen a million times and should be said: at once, then at most every ten seconds, with how often it
// happened since it was last said.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace finstream {

class seldom_told {
public:
  static constexpr nanoseconds pause = 10 * second;

  // It happened `times` more, at `now` (monotonic). The count to be said now, or nothing: then it is kept for later.
  std::optional<std::uint64_t> add(std::uint64_t times, nanoseconds now) {
    untold_ += times;
    if (untold_ == 0 || (told_ && now - *told_ < pause)) return std::nullopt;
    told_ = now;
    return std::exchange(untold_, 0);
  }

private:
  std::uint64_t untold_ = 0;
  std::optional<nanoseconds> told_;
};

} // namespace finstream
