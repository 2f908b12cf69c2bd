#include "runtime/broker/url_parts.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace finstream {

namespace {

// Nothing: it is not understood, or means a zero byte, at which the libraries would stop reading.
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
    if (error != std::errc{} || end != text.data() + i + 3 || byte == 0) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

// "user:password".
const char* read_user(std::string_view who, url_user& out) {
  auto colon = who.find(':');
  if (colon == who.npos) return "has a user without a password";
  auto name = without_percents(who.substr(0, colon)), password = without_percents(who.substr(colon + 1));
  if (!name || !password) return "has a % without two hex digits in its user or password";
  out = {std::move(*name), std::move(*password)};
  return nullptr;
}

bool is_server(std::string_view x) {
  auto host_end = x.starts_with('[') ? x.find(']') : 0;
  if (host_end == x.npos) return false;
  auto colon = x.find(':', host_end);
  auto host = x.substr(0, colon);
  auto port = colon == x.npos ? "1" : x.substr(colon + 1);
  auto is_sound = [](char c) { return c > ' ' && std::string_view{"/@?#%\\\""}.find(c) == std::string_view::npos; };
  return !host.empty() && std::ranges::all_of(host, is_sound) && !port.empty() && port.size() <= 5 &&
         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

const char* take_user(std::string_view& rest, url_user& out) {
  auto at = rest.rfind('@');
  if (at == rest.npos) return nullptr;
  auto* why = read_user(rest.substr(0, at), out);
  rest.remove_prefix(at + 1);
  return why;
}

const char* read_user_and_servers(std::string_view rest, bool takes_token, url_user& user,
                                  std::vector<std::string>& servers) {
  if (auto at = rest.rfind('@'); at != rest.npos) {
    auto who = rest.substr(0, at);
    if (who.find(',') != who.npos)
      return "has an @ behind a comma: user and password stand once, before the first host, and %2C is a comma in them";
    auto is_token = takes_token && who.find(':') == who.npos;
    if (auto* why = read_user(is_token ? std::string{who} + ":" : std::string{who}, user)) return why;
    if (user.name.empty() || (user.password.empty() && !is_token)) return "has no user or no password";
    rest.remove_prefix(at + 1);
  }
  for (;;) {
    auto one = rest.substr(0, rest.find(','));
    if (!is_server(one)) return "names a host that is none, or a port that is not a number";
    servers.emplace_back(one);
    if (one.size() == rest.size()) return nullptr;
    rest.remove_prefix(one.size() + 1);
  }
}

} // namespace finstream
