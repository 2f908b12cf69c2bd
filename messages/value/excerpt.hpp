// A value at fault, short enough for a sentence: cut between characters, so that a reason stays UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace finstream {

inline constexpr std::size_t max_excerpt_bytes = 40;

// At most `max_bytes` of `text`, never half a UTF-8 character.
inline std::string_view cut_text(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  auto end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

inline std::string excerpt(std::string_view text) {
  if (text.size() <= max_excerpt_bytes) return std::string{text};
  return std::string{cut_text(text, max_excerpt_bytes)} + "...";
}

} // namespace finstream
