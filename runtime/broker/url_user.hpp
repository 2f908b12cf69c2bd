// INTERNAL to runtime/broker: the user and the password in a url.
#pragma once

#include <string>
#include <string_view>

namespace finstream {

struct url_user {
  std::string name, password;
};

// Takes "user:password@", with %XX for what may not stand there, from the front of `rest`; nothing if it is not there.
// Answers what is wrong with it as the rest of a sentence that begins "the url", which repeats none of it, or nullptr.
const char* take_user(std::string_view& rest, url_user& out);

} // namespace finstream
