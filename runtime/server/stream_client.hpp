// A WebSocket client of a node, for the command line: connects, subscribes, and hands on each text frame.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace finstream {

// Blocks until `on_text` returns false (then nothing is an error) or the connection ends. Errors: io_failure (with the
// close code and reason, if the node gave any).
expected<void> follow_stream(const std::string& host, std::uint16_t port, const std::string& path,
                             const std::string& first_command,
                             const std::function<bool(std::string_view text)>& on_text);

} // namespace finstream
