// In the place of a driver of Kafka, until there is one.
#include "runtime/broker/broker.hpp"

namespace finstream {

expected<std::unique_ptr<broker>> open_kafka_broker(const broker_options&) {
  return fail(errc::invalid_argument, "this version has no driver for Kafka: use Redis or NATS");
}

} // namespace finstream
