#include "messages/event/answers.hpp"

namespace finstream {

std::string_view to_string(ask_outcome outcome) {
  switch (outcome) {
  case ask_outcome::answered: return "answered";
  case ask_outcome::failed: return "failed";
  case ask_outcome::breaker_open: return "breaker_open";
  case ask_outcome::too_old: return "too_old";
  }
  return "unknown";
}

} // namespace finstream
