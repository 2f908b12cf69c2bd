#define CAF_SUITE broker_kafka

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_kafka_server.hpp"

namespace {

struct broker_subject {
  static constexpr const char* cannot_remove = "librdkafka's mock cluster removes neither topics nor messages";

  finstream::test::kafka_mock server;

  std::unique_ptr<finstream::broker> open(finstream::broker_options options) {
    server.group_ids = {"g@finstream.test:events-0", "h@finstream.test:events-0", "g@finstream.test"};
    options.request_timeout_ms = 8000; // the mock lets three seconds go by before a group has its first consumer
    return server.open(std::move(options));
  }
  void pass(finstream::nanoseconds span) { finstream::pause(span); }
  void lose_before(const std::string&, finstream::message_number) { CAF_FAIL(cannot_remove); }
};

} // namespace

#include "tests/contracts/broker_contract.hpp"
