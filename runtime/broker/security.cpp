#include "runtime/broker/security.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace finstream {

expected<void> check_readable(const broker_security& x) {
  for (auto* file : {&x.ca_file, &x.certificate_file, &x.key_file, &x.credentials_file})
    if (!file->empty() && access(file->c_str(), R_OK) != 0)
      return fail(errc::config_invalid, *file + " cannot be read: " + std::strerror(errno));
  return {};
}

} // namespace finstream
