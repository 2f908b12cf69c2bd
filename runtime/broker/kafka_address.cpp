#include "runtime/broker/kafka_address.hpp"

#include <string_view>

namespace finstream {

namespace {

constexpr std::string_view tls_scheme = "tls://";

tl::unexpected<failure> refuse(const char* why) {
  return fail(errc::invalid_argument, std::string{"the url of Kafka "} + why +
                                        ": it is [tls://][user:password@]host[:port], and more hosts behind commas");
}

} // namespace

expected<kafka_address> parse_kafka_url(const std::string& url) {
  kafka_address out;
  std::string_view rest{url};
  out.is_tls = rest.starts_with(tls_scheme);
  if (out.is_tls) rest.remove_prefix(tls_scheme.size());
  std::vector<std::string> servers;
  if (auto* why = read_user_and_servers(rest, false, out.user, servers)) return refuse(why);
  for (auto& x : servers) out.servers += (out.servers.empty() ? "" : ",") + x;
  return out;
}

} // namespace finstream
