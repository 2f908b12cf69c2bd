// The log of a node, as the config says: on this machine alone, or on a broker.
#pragma once

#include "runtime/bus/brokered_bus.hpp"
#include "runtime/config/roles.hpp"
#include "runtime/config/settings.hpp"

#include <optional>

namespace finstream {

struct node_log {
  std::unique_ptr<bus> log;
  brokered_bus* on_broker = nullptr; // the same, if it is
};

// `seed` is of the pauses between attempts to reach the broker; of `link` only the callbacks are looked at. With roles
// the log is shared: of a process that does not bring in events it must be there, and is waited for a while. Errors:
// those of open_embedded_bus() and open_brokered_bus(); incompatible (the directory was made with another bus.type),
// config_invalid (roles, and a log that cannot be shared), stopped (a signal came while it was waited).
expected<node_log> open_node_log(const settings& config, std::uint64_t seed, broker_link_options link,
                                 const std::optional<role_set>& roles = std::nullopt);
// Of the broker that the config names, not connected yet. Errors: invalid_argument.
expected<std::unique_ptr<broker>> open_broker(const bus_settings& config);
// What the config says of the streams: their names, for stream_of() and journals_of().
broker_link_options link_of(const settings& config);

} // namespace finstream
