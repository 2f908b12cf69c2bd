#include "runtime/broker/redis_address.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace finstream {

namespace {

constexpr std::string_view scheme = "redis://";

tl::unexpected<failure> refuse(const char* why) {
  return fail(errc::invalid_argument,
              std::string{"the url of Redis "} + why + ": it is redis://[[user]:password@]host[:port][/database]");
}

std::optional<int> number_in(std::string_view text, int most) {
  int out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || out < 0 || out > most) return std::nullopt;
  return out;
}

} // namespace

expected<redis_address> parse_redis_url(const std::string& url) {
  std::string_view rest{url};
  if (rest.starts_with("rediss://")) return refuse("asks for TLS, which this driver does not speak");
  if (!rest.starts_with(scheme)) return refuse("does not begin with redis://");
  rest.remove_prefix(scheme.size());
  redis_address out;
  if (auto* why = take_user(rest, out.user)) return refuse(why);
  if (auto slash = rest.find('/'); slash != rest.npos) {
    auto database = rest.substr(slash + 1);
    if (!database.empty() && !number_in(database, 1'000'000)) return refuse("has a database that is not a number");
    if (!database.empty()) out.database = database;
    rest = rest.substr(0, slash);
  }
  auto colon = rest.rfind(':');
  if (colon != rest.npos && rest.find(']', colon) == rest.npos) {
    auto port = number_in(rest.substr(colon + 1), 65535);
    if (!port || *port == 0) return refuse("has a port that is not a number from 1 to 65535");
    out.port = *port;
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return refuse("names no host");
  out.host = rest;
  return out;
}

} // namespace finstream
