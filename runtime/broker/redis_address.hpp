// INTERNAL to runtime/broker: where a Redis is, and as whom to go there.
#pragma once

#include "messages/errors.hpp"
#include "runtime/broker/url_parts.hpp"

#include <string>

namespace finstream {

struct redis_address {
  std::string host, database = "0";
  url_user user;
  int port = 6379;

  std::string text() const { return host + ":" + std::to_string(port); } // without what is secret
};

// "redis://[[user]:password@]host[:port][/database]", with %XX in user and password, and [::1] for a host that is an
// address of IPv6. Errors: invalid_argument, which does not repeat the url, for it may hold a password.
expected<redis_address> parse_redis_url(const std::string& url);

} // namespace finstream
