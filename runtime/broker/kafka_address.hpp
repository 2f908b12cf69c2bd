// INTERNAL to runtime/broker: where a Kafka is, and as whom to go there.
#pragma once

#include "messages/errors.hpp"
#include "runtime/broker/url_parts.hpp"

namespace finstream {

struct kafka_address {
  std::string servers; // "host:9093,host2:9093": nothing secret
  url_user user;       // no name: nobody in particular
  bool is_tls = false;
};

// "[tls://][user:password@]host[:port]", and more hosts behind commas. Errors: invalid_argument, which does not repeat
// the url, for it may hold a password.
expected<kafka_address> parse_kafka_url(const std::string& url);

} // namespace finstream
