// Times as text, many of them in order: the part down to the second is kept from one to the next.
#pragma once

#include "messages/value/timestamp.hpp"

namespace finstream::feed {

class time_text {
public:
  static constexpr std::size_t max_bytes = 32;

  // Always `digits` (6 or 9) digits of fraction, so that lines keep their shape. Returns the end.
  char* write(char* out, timestamp t, int digits);

private:
  timestamp second_{-1}; // no whole second: nothing is kept yet
  char text_[max_bytes] = {};
};

} // namespace finstream::feed
