#include "messages/event/sys_event.hpp"

namespace finstream {

std::string_view to_string(sys_kind kind) {
  switch (kind) {
  case sys_kind::actor_started: return "actor_started";
  case sys_kind::actor_restarted: return "actor_restarted";
  case sys_kind::actor_parked: return "actor_parked";
  case sys_kind::feed_up: return "feed_up";
  case sys_kind::feed_down: return "feed_down";
  case sys_kind::feed_killed: return "feed_killed";
  case sys_kind::feed_parked: return "feed_parked";
  case sys_kind::limit_reached: return "limit_reached";
  case sys_kind::storage: return "storage";
  case sys_kind::node: return "node";
  case sys_kind::model: return "model";
  case sys_kind::bus_down: return "bus_down";
  case sys_kind::bus_recovered: return "bus_recovered";
  }
  return "unknown";
}

} // namespace finstream
