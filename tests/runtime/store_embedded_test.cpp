#define CAF_SUITE store_embedded

#include "runtime/store/store.hpp"
#include "tests/runtime/bus_language.hpp"

namespace {

struct store_home {
  explicit store_home(const std::string& path) : directory{path} {}
  std::unique_ptr<finstream::store> open() {
    log.reset();
    finstream::embedded_bus_options options;
    options.directory = directory;
    log = finstream::test::must(finstream::open_embedded_bus(options));
    return finstream::open_embedded_store(*log);
  }

  std::string directory;
  std::unique_ptr<finstream::bus> log;
};

} // namespace

#include "tests/contracts/store_contract.hpp"
