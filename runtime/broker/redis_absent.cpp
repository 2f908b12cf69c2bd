// In place of the driver of Redis in a build without it.
#include "runtime/broker/broker.hpp"

namespace finstream {

expected<std::unique_ptr<broker>> open_redis_broker(const broker_options&) {
  return fail(errc::invalid_argument, "this program was built without Redis: install libhiredis-dev, configure with "
                                      "-DFINSTREAM_REDIS=ON and build it again, or choose another bus");
}

} // namespace finstream
