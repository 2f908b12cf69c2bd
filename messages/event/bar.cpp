#include "messages/event/bar.hpp"

namespace finstream {

std::string_view to_string(bar_state state) {
  switch (state) {
  case bar_state::final_bar: return "final";
  case bar_state::revised: return "revised";
  }
  return "unknown";
}

std::string flags_to_string(std::uint32_t flags) {
  std::string out;
  auto add = [&](bar_flag flag, const char* name) {
    if ((flags & flag) != 0) out += (out.empty() ? "" : " ") + std::string{name};
  };
  add(partial_start, "partial_start");
  add(gap, "gap");
  add(halted, "halted");
  add(backfilled, "backfilled");
  add(truncated_late, "truncated_late");
  add(synthetic, "synthetic");
  return out;
}

std::string_view to_string(interval_reason reason) {
  switch (reason) {
  case interval_reason::closed: return "closed";
  case interval_reason::no_trades: return "no_trades";
  case interval_reason::feed_down: return "feed_down";
  case interval_reason::halted: return "halted";
  case interval_reason::paused: return "paused";
  }
  return "unknown";
}

} // namespace finstream
