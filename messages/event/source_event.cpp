#include "messages/event/source_event.hpp"

namespace finstream {

std::string_view to_string(source_change change) {
  switch (change) {
  case source_change::up: return "up";
  case source_change::down: return "down";
  case source_change::restarting: return "restarting";
  case source_change::heartbeat: return "heartbeat";
  case source_change::gap: return "gap";
  case source_change::eof: return "eof";
  }
  return "unknown";
}

} // namespace finstream
