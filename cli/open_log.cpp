#include "cli/commands.hpp"

namespace finstream {

expected<std::unique_ptr<bus>> open_for_reading(const settings& config) {
  embedded_bus_options options;
  options.directory = config.data_directory;
  options.read_only = true;
  return open_embedded_bus(options);
}

} // namespace finstream
