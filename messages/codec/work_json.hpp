// {"worker":"host/4711/09af","partitions":4,"holds":[0,2]}: so that operators can read it in their broker.
#pragma once

#include "messages/command/work_message.hpp"
#include "messages/errors.hpp"

#include <string>
#include <string_view>

namespace finstream {

std::string to_json(const work_message& what);
expected<work_message> parse_work_message(std::string_view text); // errors: corrupt_record

} // namespace finstream
