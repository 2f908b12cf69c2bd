// A client's WebSocket text -> its command.
#pragma once

#include "messages/command/subscription.hpp"
#include "messages/errors.hpp"

#include <string_view>

namespace finstream {

// {"action":"subscribe","id":1,"channels":["ticks.*"]}. Any bytes are safe. Errors: bad_command.
expected<client_command> parse_command(std::string_view text);

} // namespace finstream
