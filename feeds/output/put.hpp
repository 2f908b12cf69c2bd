// Text into a buffer that is known to have room for it.
#pragma once

#include <charconv>
#include <cstring>
#include <string_view>

namespace finstream::feed {

inline char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// At most 20 bytes.
template <class T> char* put_number(char* out, T value) { return std::to_chars(out, out + 20, value).ptr; }

} // namespace finstream::feed
