// Lineage as JSON, the same from the command line and over HTTP. docs/lineage.md shows each.
#pragma once

#include "actors/lineage.hpp"

#include <string>

namespace finstream {

// `epoch` is the log's: a part of each event's position.
void append_lineage_json(std::string& out, const signal_lineage& x, std::uint64_t epoch);
void append_lineage_json(std::string& out, const bar_lineage& x, std::uint64_t epoch);
void append_lineage_json(std::string& out, const event_lineage& x, std::uint64_t epoch);

} // namespace finstream
