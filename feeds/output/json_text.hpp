// Text as the inside of a JSON string.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finstream::feed {

// Without the quotes around it; nothing if `text` is not UTF-8.
std::optional<std::string> json_text(std::string_view text);
// True for text that stands in JSON as it is: printable ASCII but for quotes and backslashes.
bool is_plain(std::string_view text);

} // namespace finstream::feed
