// The words of a condition: what must be known before its grammar is looked at. It finds the names with their columns,
// and refuses what the engine would take but a person did not mean.
#pragma once

#include "messages/errors.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct condition_name {
  std::string_view text;
  std::size_t column = 1; // in bytes, from 1
};

struct condition_text {
  std::string engine_text;           // as long as the condition, so that columns are the same: no dots in names
  std::vector<condition_name> names; // in order, repetitions included; of variables
};

inline constexpr std::string_view condition_functions[] = {"abs", "ceil", "exp",   "floor", "ln",  "log10",
                                                           "max", "min",  "round", "sign",  "sqrt"};
bool is_condition_function(std::string_view name);

// "a.b" -> "a_b".
std::string without_dots(std::string_view name);

// Names point into `condition`. Errors: invalid_argument.
expected<condition_text> read_condition(std::string_view condition);
// "column 5 of `condition`: sentence", the condition not too long.
tl::unexpected<failure> fail_in_condition(std::string_view condition, std::size_t column, const std::string& sentence);

} // namespace finstream
