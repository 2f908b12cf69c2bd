// Logs on a broker in memory.
#pragma once

#include "runtime/broker/memory_broker.hpp"
#include "runtime/bus/brokered_bus.hpp"

namespace finstream::test {

inline broker_link_options options_for(const memory_broker_server& server, int partitions = 4) {
  broker_link_options options;
  options.open_broker = [&server]() -> expected<std::unique_ptr<broker>> { return server.open(); };
  options.partitions = partitions;
  return options;
}

} // namespace finstream::test
