// A client's WebSocket text -> its command.
#pragma once

#include "messages/command/subscription.hpp"
#include "messages/errors.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace finstream {

// {"action":"subscribe","id":1,"channels":["ticks.*"]}. Any bytes are safe. `id`, if it is asked for, is known also of
// a command that is refused for something else. Errors: bad_command.
expected<client_command> parse_command(std::string_view text, std::optional<std::int64_t>* id = nullptr);

} // namespace finstream
