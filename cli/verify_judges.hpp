// What the records and rows of a log must hold, beyond bytes that are what was written: payloads that can be read, rows
// under their own key, positions within the log. For `finstream verify`.
#pragma once

#include "actors/logic/retention.hpp"
#include "runtime/bus/log_check.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace finstream {

// Sees every record and row of a log, and what there is to say of all of them together.
class log_judge {
public:
  explicit log_judge(const log_check& log) : log_{log} {}

  expected<void> judge(topic where, std::uint16_t partition, const record& x);
  expected<void> judge(std::string_view table, std::string_view key, std::string_view value);
  // When all were seen.
  void conclude(log_check& to) const;

  // As many as the log was made with, or as the log has; where the log says neither, 1.
  int partitions() const;
  // Whether the directory is a node's copy of a log on a broker: then what is written to it must go there too.
  bool is_on_broker() const { return on_broker_; }
  // Where the log of a partition begins, if not at 0; nothing where that was not found among the rows.
  std::optional<log_base> base_at(std::uint16_t partition, std::uint64_t offset) const;

private:
  expected<void> judge_stage(std::string_view key, std::string_view value);

  const log_check& log_;
  std::optional<int> partitions_;
  bool on_broker_ = false;
  std::multimap<std::uint16_t, log_base> bases_;
  std::set<std::string> poisoned_; // records that were set aside, as their letters say; by key in table set_aside
  std::uint64_t signals_ = 0,
                signal_ids_ = 0; // sums of hashes: equal if each signal has its id and the other way round
};

// Whether a table is a function of the log's events. Of "stage" some rows are.
bool is_derived_table(std::string_view table);
bool is_derived_row(std::string_view table, std::string_view key);
inline bool is_derived(topic where) {
  return where == topic::bars || where == topic::features || where == topic::signals || where == topic::rejected;
}

} // namespace finstream
