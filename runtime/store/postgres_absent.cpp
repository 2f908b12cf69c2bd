// In place of the PostgreSQL driver in a build without it.
#include "runtime/store/store.hpp"

namespace finstream {

namespace {
tl::unexpected<failure> absent() {
  return fail(errc::config_invalid, "this program was built without PostgreSQL: install libpqxx-dev, configure with "
                                    "-DFINSTREAM_POSTGRES=ON and build it again, or remove the store from the config");
}
} // namespace

expected<std::unique_ptr<store>> open_postgres_store(const postgres_options&) { return absent(); }
expected<std::string> postgres_version(const postgres_options&) { return absent(); }

} // namespace finstream
