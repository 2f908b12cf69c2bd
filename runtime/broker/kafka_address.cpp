#include "runtime/broker/kafka_address.hpp"

#include <algorithm>
#include <string_view>

namespace finstream {

namespace {

constexpr std::string_view tls_scheme = "tls://";

tl::unexpected<failure> refuse(const char* why) {
  return fail(errc::invalid_argument, std::string{"the url of Kafka "} + why +
                                        ": it is host:port, or several of these with commas between them, and before "
                                        "the first tls://, user:password@ or both");
}

bool is_server(std::string_view x) {
  auto colon = x.rfind(':');
  auto port = colon == x.npos ? "9092" : x.substr(colon + 1);
  auto is_sound = [](char c) { return std::string_view{"/@?#%\\ \t\n"}.find(c) == std::string_view::npos; };
  return colon != 0 && !x.empty() && std::ranges::all_of(x, is_sound) && !port.empty() && port.size() <= 5 &&
         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

expected<kafka_address> parse_kafka_url(const std::string& url) {
  kafka_address out;
  std::string_view rest{url};
  out.is_tls = rest.starts_with(tls_scheme);
  if (out.is_tls) rest.remove_prefix(tls_scheme.size());
  auto has_user = rest.find('@') != rest.npos;
  if (auto* why = take_user(rest, out.user)) return refuse(why);
  if (has_user && (out.user.name.empty() || out.user.password.empty())) return refuse("has no user or no password");
  out.servers = rest;
  for (;;) {
    auto one = rest.substr(0, rest.find(','));
    if (!is_server(one)) return refuse("is not understood");
    if (one.size() == rest.size()) return out;
    rest.remove_prefix(one.size() + 1);
  }
}

} // namespace finstream
