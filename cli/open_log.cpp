#include "cli/commands.hpp"

namespace finstream {

namespace {
constexpr std::size_t reading_cache_bytes = 128u << 20;
} // namespace

expected<std::unique_ptr<bus>> open_for_reading(const settings& config) {
  embedded_bus_options options;
  options.directory = config.data_directory;
  options.read_only = true;
  options.cache_bytes = reading_cache_bytes;
  return open_embedded_bus(options);
}

} // namespace finstream
