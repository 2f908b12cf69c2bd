#define CAF_SUITE store_memory

#include "runtime/store/store.hpp"

namespace {

struct store_home {
  explicit store_home(const std::string&) {}
  std::unique_ptr<finstream::store> open() { return finstream::open_embedded_store(*log); }

  std::unique_ptr<finstream::bus> log = finstream::open_memory_bus();
};

} // namespace

#include "tests/contracts/store_contract.hpp"
