// The book of a log on a broker: which entries its journals have, kept from the transactions as the local log takes
// them, and up to where the broker has said that it has them. What the streams hold is compared with it.
#pragma once

#include "runtime/bus/brokered_bus.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace finstream::simulation {

class journal_book {
public:
  explicit journal_book(broker_link_options options) : options_{std::move(options)} {}

  void on_written(const transaction& tx, const std::vector<std::uint64_t>& offsets);
  void on_lost(const bus& local); // the local log has fewer entries than before
  void on_acknowledged(journal_id id, std::uint64_t number);
  void on_forgotten(broker& from); // what it no longer has may be away

  bool is_all_in(broker& streams) const;
  bool is_behind(broker& streams) const; // the streams have something that is not here

  // What is wrong, or nothing.
  std::optional<std::string> check_acknowledged(broker& streams) const;
  // Each entry is in its stream once, in order, and as it was written.
  std::optional<std::string> check_streams(broker& streams) const;
  // Who has nothing but the streams has the same records as this log, as far as the streams go.
  std::optional<std::string> check_copy(const bus& log, std::unique_ptr<broker> streams) const;

private:
  struct journal {
    std::vector<std::string> entries; // the first is number 1
    std::uint64_t acknowledged = 0;
  };
  std::optional<std::string> check_stream(broker& streams, journal_id id, const journal& mine) const;

  broker_link_options options_;
  std::map<journal_id, journal> journals_;
};

} // namespace finstream::simulation
