#include "runtime/server/request_target.hpp"

#include <optional>

namespace finstream {

namespace {

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Control characters are refused even when escaped: a NUL or a line end in a path is never meant well.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      auto high = hex_digit(text[i + 1]);
      auto low = hex_digit(text[i + 2]);
      if (!high || !low) return std::nullopt;
      c = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    result += c;
  }
  return result;
}

} // namespace

expected<request_target> parse_request_target(std::string_view text) {
  auto refuse = [] { return fail(errc::bad_command, "request target: not a path with legal percent escapes"); };
  text = text.substr(0, text.find('#'));
  if (text.empty() || text.front() != '/') return refuse();
  auto question = text.find('?');
  auto path = percent_decode(text.substr(0, question), false);
  if (!path) return refuse();
  request_target result{std::move(*path), {}};
  auto rest = question == std::string_view::npos ? std::string_view{} : text.substr(question + 1);
  while (!rest.empty()) {
    auto pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    auto equals = pair.find('=');
    auto key = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!key || !value) return refuse();
    result.query[std::move(*key)] = std::move(*value);
  }
  return result;
}

} // namespace finstream
