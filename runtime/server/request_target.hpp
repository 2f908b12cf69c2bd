// The target of an HTTP request, "/v1/bars?symbol=BTC%2FUSDT", taken apart. Plain logic.
#pragma once

#include "messages/errors.hpp"

#include <map>
#include <string>
#include <string_view>

namespace finstream {

struct request_target {
  std::string path;
  std::map<std::string, std::string> query; // of a key that is given twice, the last
};

// Percent escapes are decoded, and "+" means a space in the query. Errors: bad_command.
expected<request_target> parse_request_target(std::string_view text);

} // namespace finstream
