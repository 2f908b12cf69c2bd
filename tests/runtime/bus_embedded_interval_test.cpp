#define CAF_SUITE bus_embedded_interval

#include "runtime/bus/bus.hpp"

#include <stdexcept>

namespace {

std::unique_ptr<finstream::bus> make_bus(const std::string& directory) {
  finstream::embedded_bus_options options;
  options.directory = directory;
  options.level = finstream::durability::interval;
  options.sync_interval_ms = 5;
  auto opened = finstream::open_embedded_bus(options);
  if (!opened) throw std::runtime_error(opened.error().message);
  return std::move(*opened);
}

} // namespace

#include "tests/contracts/bus_contract.hpp"

CAF_TEST(the driver says what it is and names the level in its receipts) {
  finstream::test::temp_dir directory;
  auto log = make_bus(directory.path());
  CAF_CHECK_EQUAL(std::string{log->capabilities().driver}, "embedded");
  CAF_CHECK(log->capabilities().atomic_transactions);
  CAF_CHECK(log->capabilities().durable);
  CAF_CHECK(finstream::test::must(log->write({})).level == finstream::durability::interval);
}
