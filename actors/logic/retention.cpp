#include "actors/logic/retention.hpp"

#include <algorithm>

namespace finstream {

bool retention::wants_base(timestamp now) const {
  if (keep_ == 0) return false;
  auto spacing = keep_ / static_cast<nanoseconds>(slots - 2);
  return std::none_of(bases_.begin(), bases_.end(), [&](auto& base) { return base && now - base->log_ts < spacing; });
}

std::size_t retention::next_slot(std::uint64_t head) const {
  std::size_t best = 0;
  auto age = [&](std::size_t slot) -> std::uint64_t { // 0: free; the larger, the less it may go
    if (!bases_[slot]) return 0;
    return bases_[slot]->offset == head ? ~std::uint64_t{0} : bases_[slot]->offset + 1;
  };
  for (std::size_t slot = 1; slot < slots; ++slot)
    if (age(slot) < age(best)) best = slot;
  return best;
}

std::optional<log_base> retention::newest_to_cut_at(timestamp now) const {
  std::optional<log_base> best;
  if (keep_ == 0) return best;
  for (auto& base : bases_)
    if (base && now - base->log_ts >= keep_ && (!best || base->offset > best->offset)) best = base;
  return best;
}

} // namespace finstream
