// One cell of a table -> a value as a line needs it.
#pragma once

#include "feeds/csv/options.hpp"

#include <string_view>

namespace finstream::feed {

// Without the blanks around it.
std::string_view trim(std::string_view cell);

// Writes the cell as a JSON number with the same digits: "+1" is 1, ".5" is 0.5, "1." is 1, "007" is 7. Returns the
// end; null if the cell is no decimal number. Needs at most two bytes more than the cell has.
char* write_number(char* out, std::string_view cell);

// Writes the cell as RFC 3339, and says in `parsed` when that is. Returns the end, null if the cell is no time. Needs
// at most 40 bytes, or as many as the cell has.
char* write_time(char* out, std::string_view cell, time_format format, timestamp& parsed);

} // namespace finstream::feed
