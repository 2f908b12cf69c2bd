// INTERNAL to runtime/broker: where a NATS is, and as whom to go there.
#pragma once

#include "messages/errors.hpp"
#include "runtime/broker/url_parts.hpp"

namespace finstream {

struct nats_address {
  std::vector<std::string> servers; // "nats://host:4222" each: nothing secret
  url_user user;                    // no name: nobody in particular; no password: the name is a token
  bool is_tls = false;

  std::string text() const; // the servers, with commas
};

// "nats://[user:password@]host[:port]", or tls://, or token@, and more hosts behind commas, each as it is or as a url
// of the same kind. Errors: invalid_argument, which does not repeat the url, for it may hold a password.
expected<nats_address> parse_nats_url(const std::string& url);

} // namespace finstream
