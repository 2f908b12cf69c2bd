// A look at a log that nobody has open: its files, each record, each row, the groups, and what was promised of it. The
// bus refuses at the first damage that it meets; this goes on behind it and names all of it, and it copies what is
// whole into a new log. It never writes to what it looks at.
#pragma once

#include "runtime/bus/bus.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct log_damage {
  enum class kind {
    current,         // the file CURRENT
    file_list,       // the file MANIFEST-..., or what it says of the others
    options,         // the file OPTIONS-..., which nobody needs
    sorted_file,     // ....sst: it is missing, shorter, or its bytes have changed
    write_ahead_log, // ....log
    witness,
    marker, // of the log, or of a topic's head
    record, // from `first` on, before `end`
    hole,   // likewise: nothing is there
    time,   // a record is older than the one before it
    tail,   // what was promised, or the last record, is not there
    group,
    row,
    outputs, // what is stored is not what the events give
  };
  kind is = kind::record;
  std::string where;         // "events/0 at 4711", "000012.sst", "table bars"
  std::string why;           // no full stop
  std::optional<topic> of;   // whose records are concerned; nothing if they are a table's, or it is not known
  bool is_of_tables = false; // rows are concerned
  std::uint64_t first = 0;   // offsets of a record, a hole, a tail: [first, end)
  std::uint64_t end = 0;
  timestamp after = earliest;  // log times of the records that are whole around them
  timestamp before = earliest; // likewise; `earliest`: there is none
};

struct log_check_counts {
  std::uint64_t files = 0, file_bytes = 0, lanes = 0, records = 0, events = 0, record_bytes = 0, rows = 0, groups = 0;
};

class log_check {
public:
  // Holds the directory against nodes and other checks for as long as it lives. Errors: not_found, locked (by whom),
  // io_failure.
  static expected<std::unique_ptr<log_check>> begin(const std::string& directory);
  virtual ~log_check() = default;

  // The first to be called. Whether the log can be looked into, too: if not, the rest finds nothing.
  virtual bool check_files() = 0;
  // Whether the bus would open it as it is.
  virtual bool can_be_opened() const = 0;
  // What a record's payload holds is for `sound` to judge; it is not asked about records that are damaged.
  using record_judge = std::function<expected<void>(topic, std::uint16_t partition, const record&)>;
  virtual void check_records(const record_judge& sound) = 0;
  using row_judge = std::function<expected<void>(std::string_view table, std::string_view key, std::string_view value)>;
  virtual void check_rows(const row_judge& sound) = 0;
  // Also what the witness has to say. After check_records().
  virtual void check_positions() = 0;

  virtual void add(log_damage x) = 0; // what was found elsewhere
  virtual const std::vector<log_damage>& damage() const = 0;
  virtual std::uint64_t untold() const = 0; // damage beyond the limit of what is kept
  virtual const log_check_counts& counts() const = 0;

  // From the head to the end of what is whole.
  virtual log_range range(topic where, std::uint16_t partition) const = 0;

  // What goes into a copy: records as they are, byte for byte, but for those topics that are to begin and end at an
  // offset, until somebody appends to them.
  struct empty_topic {
    topic where = topic::bars;
    std::uint16_t partition = 0;
    std::uint64_t begins_at = 0;
  };
  struct copy_plan {
    std::vector<empty_topic> empty;
    std::function<bool(std::string_view table, std::string_view key, std::string_view value)> keeps_row;
  };
  // A new log of the same epoch in `directory`, which must not be there; without a witness. Errors: io_failure,
  // disk_full; corrupt_record where something that was to be copied is damaged.
  virtual expected<void> copy(const std::string& directory, const copy_plan& plan) const = 0;
};

// Writes CURRENT anew where exactly one list of files is there. Errors: not_found, io_failure.
expected<std::string> write_current(const std::string& directory);
// A copy in `target`, which must not be there, whose list of files is made anew from the files that can be read; sorted
// files are shared, not copied. What has no sorted file and what is in a damaged one is not in it. Errors: io_failure.
expected<void> copy_with_new_list(const std::string& directory, const std::string& target);
// `directory` becomes what `other` was and the other way round, in one step. Errors: io_failure, with what to do.
expected<void> exchange_directories(const std::string& directory, const std::string& other);

} // namespace finstream
