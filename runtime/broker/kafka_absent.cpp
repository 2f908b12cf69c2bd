// In the place of the Kafka driver, in a build without it.
#include "runtime/broker/broker.hpp"

namespace finstream {

expected<std::unique_ptr<broker>> open_kafka_broker(const broker_options&) {
  return fail(errc::invalid_argument, "this program was built without Kafka: install librdkafka-dev, configure with "
                                      "-DFINSTREAM_KAFKA=ON and build it again, or choose another bus");
}

} // namespace finstream
