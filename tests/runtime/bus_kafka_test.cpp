#define CAF_SUITE bus_kafka

#include "runtime/bus/brokered_bus.hpp"
#include "tests/runtime/broker_kafka_server.hpp"

namespace {

// A log on librdkafka's mock cluster. It is shared; each log has streams of its own.
std::unique_ptr<finstream::bus> make_bus(const std::string& directory) {
  static auto& server = *new finstream::test::kafka_mock;
  static int logs = 0;
  finstream::broker_link_options options;
  options.open_broker = [] { return finstream::expected<std::unique_ptr<finstream::broker>>{server.open({})}; };
  options.events_stream = "events" + std::to_string(++logs);
  options.outputs_stream = "outputs" + std::to_string(logs);
  options.partitions = 4;
  return finstream::test::must(finstream::open_brokered_bus({.directory = directory}, options, "kafka"));
}

} // namespace

#include "tests/contracts/bus_contract.hpp"

CAF_TEST(an acknowledgement names the broker) {
  finstream::test::temp_dir directory;
  auto log = make_bus(directory.path());
  CAF_CHECK_EQUAL(std::string{log->capabilities().driver}, "kafka");
  auto tx = finstream::test::appends({finstream::test::events_record(0, 1, finstream::test::at(1), "x")});
  CAF_CHECK(finstream::test::must(log->write(std::move(tx))).level == finstream::durability::broker);
}
