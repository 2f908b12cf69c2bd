#include "actors/logic/restart_policy.hpp"

#include <algorithm>

namespace finstream {

bool restart_intensity::allow(nanoseconds now) {
  while (!restarts_.empty() && now - restarts_.front() > period_) restarts_.pop_front();
  restarts_.push_back(now);
  return restarts_.size() <= static_cast<std::size_t>(most_);
}

std::optional<nanoseconds> backoff::next(nanoseconds now, nanoseconds lived) {
  if (lived >= rules_.healthy_after) step_ = 0;
  if (!crashes_.allow(now)) return std::nullopt;
  auto ceiling = std::min(rules_.most, rules_.initial << std::min(step_++, 20));
  // Full jitter: anywhere between nothing and the ceiling, so that many feeds do not come back in step.
  return static_cast<nanoseconds>(random_() % static_cast<std::uint64_t>(ceiling + 1));
}

void backoff::reset() {
  step_ = 0;
  crashes_ = restart_intensity{rules_.crash_limit, rules_.crash_period};
}

} // namespace finstream
