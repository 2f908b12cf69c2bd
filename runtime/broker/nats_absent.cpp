// In place of the driver of NATS in a build without it.
#include "runtime/broker/broker.hpp"

namespace finstream {

expected<std::unique_ptr<broker>> open_nats_broker(const broker_options&) {
  return fail(errc::invalid_argument, "this program was built without NATS: install libnats-dev, configure with "
                                      "-DFINSTREAM_NATS=ON and build it again, or choose another bus");
}

} // namespace finstream
