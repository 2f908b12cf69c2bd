// INTERNAL to runtime/broker: what the urls of all brokers have in common.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct url_user {
  std::string name, password;
};

// Both answer what is wrong as the rest of a sentence that begins "the url", which repeats none of it, or nullptr.
//
// Takes "user:password@", with %XX for what may not stand there, from the front of `rest`; nothing if it is not there.
const char* take_user(std::string_view& rest, url_user& out);
// "[user:password@]host[:port]", and more hosts behind commas; those of IPv6 are in brackets. Where a token may stand
// for both, it is the name of a user without a password.
const char* read_user_and_servers(std::string_view text, bool takes_token, url_user& user,
                                  std::vector<std::string>& servers);

} // namespace finstream
