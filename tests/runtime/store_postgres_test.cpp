#define CAF_SUITE store_postgres

#include "runtime/store/store.hpp"
#include "tests/runtime/bus_language.hpp"
#include "tests/support/postgres_server.hpp"

namespace {

finstream::test::postgres_server& server() {
  static finstream::test::postgres_server one;
  return one;
}

struct store_home {
  explicit store_home(const std::string&) {}
  std::unique_ptr<finstream::store> open() {
    return finstream::test::must(finstream::open_postgres_store({connection}));
  }

  std::string connection = server().database();
};

} // namespace

#include "tests/contracts/store_contract.hpp"
