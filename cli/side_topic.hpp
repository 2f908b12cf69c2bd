// Results of a replay, written aside: bars, features and signals by their keys, in a directory of its own below the
// node's data, so that the node may run and its own rows stay as they are.
#pragma once

#include "cli/commands.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/job_run.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace finstream {

struct side_counts {
  std::uint64_t added = 0, changed = 0, same = 0; // rows

  side_counts& operator+=(const side_counts& x) {
    added += x.added, changed += x.changed, same += x.same;
    return *this;
  }
};

// The row that the stores hold for it; nothing for an end of interval.
std::optional<table_write> row_of(const derived& x);
std::uint32_t revision_of(const derived& x);
// Of a row of the stores that is of this kind. Errors: corrupt_record.
expected<std::uint32_t> revision_of_row(const derived& kind, std::string_view row);

// Where it is; errors: invalid_argument (a name has letters, digits, - and _).
expected<std::string> side_directory(const settings& config, const std::string& name);
// The bus of the node's data, or of a side topic of it where one is named.
expected<std::unique_ptr<bus>> open_rows(const settings& config, const std::string& side_name);

class side_topic {
public:
  // Errors: invalid_argument, locked, io_failure.
  static expected<std::unique_ptr<side_topic>> open(const settings& config, const std::string& name);

  // Like a store: a row is written if its revision is higher than that of the one there. From any thread.
  expected<side_counts> add(const derived& x);
  expected<void> flush();
  expected<void> note(const job_run& x); // `finstream jobs --from-topic` has it

private:
  std::unique_ptr<bus> rows_;
  std::mutex mutex_;
  std::map<std::string, std::pair<table_write, std::uint32_t>> waiting_; // by table and key, with its revision
};

} // namespace finstream
