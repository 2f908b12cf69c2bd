#define CAF_SUITE bus_memory

#include "runtime/bus/bus.hpp"

namespace {

std::unique_ptr<finstream::bus> make_bus(const std::string&) { return finstream::open_memory_bus(); }

} // namespace

#include "tests/contracts/bus_contract.hpp"

CAF_TEST(the driver says what it is) {
  auto log = finstream::open_memory_bus();
  CAF_CHECK_EQUAL(std::string{log->capabilities().driver}, "memory");
  CAF_CHECK(log->capabilities().atomic_transactions);
  CAF_CHECK(!log->capabilities().durable);
  CAF_CHECK(finstream::test::must(log->write({})).level == finstream::durability::none);
}
