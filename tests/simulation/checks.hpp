// What must be true of a log at any moment, and of one to which nothing is left to be added. Each says what is wrong,
// or nothing.
#pragma once

#include "actors/context.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace finstream::simulation {

using log_place = std::pair<std::uint16_t, std::uint64_t>; // partition, offset in topic events

// Offsets are dense in every topic, and log time does not go back.
std::optional<std::string> check_order(const bus& log, int partitions);
// Bars, features, signals, rejected events and the bar store are what a replay of the log makes, byte for byte. A
// record that crashes its stage and is not set aside yet makes a replay impossible: then nothing is checked.
std::optional<std::string> check_replay(const bus& log, int partitions, const std::set<log_place>& poisoned);
// Of a log that is kept whole, and whose windows are closed and healed, none owed yet: each trade is in one bar of a
// second, or it was rejected; one that was rejected may be in a bar that was healed.
std::optional<std::string> check_trades(const bus& log, int partitions);
// No record is set aside but these.
// Each bar of the store that a backfill healed, and that it is done with, has all events of its window that were not
// rejected. Where the log was trimmed, or the rules of bars have changed in it, that cannot be said.
std::optional<std::string> check_healed(const bus& log, int partitions);
std::optional<std::string> check_set_aside(const bus& log, int partitions, const std::set<log_place>& poisoned);
// The stages have looked at all there is, the last checkpoint says so, and the log was told the rules in force.
std::optional<std::string> check_end(const bus& log, int partitions, const stage_rules& rules,
                                     const std::set<log_place>& poisoned);

} // namespace finstream::simulation
