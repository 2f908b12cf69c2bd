#include "runtime/broker/nats_address.hpp"

#include <string_view>

namespace finstream {

namespace {

constexpr std::string_view open_scheme = "nats://", tls_scheme = "tls://";

tl::unexpected<failure> refuse(const char* why) {
  return fail(errc::invalid_argument, std::string{"the url of NATS "} + why +
                                        ": it is nats://[user:password@]host[:port], or tls:// in its place, and more "
                                        "hosts behind commas");
}

} // namespace

std::string nats_address::text() const {
  std::string out;
  for (auto& x : servers) out += (out.empty() ? "" : ",") + x;
  return out;
}

expected<nats_address> parse_nats_url(const std::string& url) {
  nats_address out;
  out.is_tls = url.starts_with(tls_scheme);
  auto scheme = out.is_tls ? tls_scheme : open_scheme;
  if (!url.starts_with(scheme)) return refuse("begins with neither nats:// nor tls://");
  std::string hosts = url.substr(scheme.size());
  auto again = "," + std::string{scheme};
  for (auto at = hosts.find(again); at != hosts.npos; at = hosts.find(again, at)) hosts.erase(at + 1, scheme.size());
  if (hosts.ends_with('/')) hosts.pop_back();
  if (auto* why = read_user_and_servers(hosts, true, out.user, out.servers)) return refuse(why);
  for (auto& x : out.servers) x.insert(0, scheme);
  return out;
}

} // namespace finstream
