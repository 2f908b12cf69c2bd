#include "runtime/broker/url_user.hpp"

#include <charconv>
#include <optional>

namespace finstream {

namespace {

std::optional<std::string> without_percents(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

} // namespace

const char* take_user(std::string_view& rest, url_user& out) {
  auto at = rest.rfind('@');
  if (at == rest.npos) return nullptr;
  auto who = rest.substr(0, at);
  auto colon = who.find(':');
  if (colon == who.npos) return "has a user without a password";
  auto name = without_percents(who.substr(0, colon)), password = without_percents(who.substr(colon + 1));
  if (!name || !password) return "has a % without two hex digits in its user or password";
  out = {std::move(*name), std::move(*password)};
  rest.remove_prefix(at + 1);
  return nullptr;
}

} // namespace finstream
