#include "runtime/broker/security.hpp"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace finstream {

expected<void> check_readable(const broker_security& x) {
  for (auto* file : {&x.ca_file, &x.certificate_file, &x.key_file, &x.credentials_file}) {
    if (file->empty()) continue;
    struct stat found {};
    if (access(file->c_str(), R_OK) != 0 || stat(file->c_str(), &found) != 0)
      return fail(errc::config_invalid, *file + " cannot be read: " + std::strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_size == 0)
      return fail(errc::config_invalid, *file + " is not a file, or an empty one");
  }
  return {};
}

} // namespace finstream
