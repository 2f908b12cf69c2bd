#include "feeds/output/json_text.hpp"

#include <algorithm>
#include <cstdint>

namespace finstream::feed {

namespace {

// How many bytes the character at the start of `text` has; 0 if it is not UTF-8 (overlong forms and surrogates are
// not).
std::size_t character_bytes(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  auto first = byte(0);
  if (first < 0x80) return 1;
  std::size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < count) return 0;
  for (std::size_t i = 1; i < count; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return count;
}

} // namespace

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

std::optional<std::string> json_text(std::string_view text) {
  constexpr auto hexadecimal = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    auto count = character_bytes(text);
    if (count == 0) return std::nullopt;
    auto c = text.front();
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<std::uint8_t>(c) < ' ') {
      out += {'\\', 'u', '0', '0', hexadecimal[c >> 4], hexadecimal[c & 15]};
    } else {
      out += text.substr(0, count);
    }
    text.remove_prefix(count);
  }
  return out;
}

} // namespace finstream::feed
