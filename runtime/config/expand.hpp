// Variables of the environment in the values of a config file: `${NAME}`, `${NAME:-default}` where it is unset or
// empty, and
// `$$` for a dollar sign. A dollar sign before anything else is only that.
#pragma once

#include "runtime/config/load.hpp"

#include <string>

namespace finstream {

// Errors: config_invalid, a sentence without the place in the file.
expected<std::string> expand(const std::string& text, const environment& env);

// What a variable of the environment can be called.
bool is_variable_name(const std::string& text);

} // namespace finstream
