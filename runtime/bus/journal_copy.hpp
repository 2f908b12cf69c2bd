// A COPY of a journal: applies to a log of this machine what the journal's stream holds beyond it.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/journal.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

expected<timestamp> last_entry_ts(const bus& local, journal_id id); // the earliest there is, where it keeps none
new_record buffer_record(journal_id id, timestamp log_ts, std::string block);
// Drops entries below `shipped` that are older than that, but for the last one, which says when the next may be.
expected<void> trim_buffer(bus& local, journal_id id, std::uint64_t shipped, timestamp older_than);

class journal_copy {
public:
  journal_copy(bus& local, journal_id id, std::string stream, std::uint64_t log_id, const clock& time);

  // Up to the stream's end, or about so many messages. Answers how many entries were applied; may be called again after
  // a failure. Errors: conflict (the stream is of another log; or the two have gone different ways), trimmed,
  // corrupt_record, incompatible, and those of the broker and of the local log.
  expected<std::uint64_t> catch_up(broker& from, std::size_t most_messages = ~std::size_t{0});
  // For one who is not sure of what the stream holds, or the local log: where they stand is looked up, and compared,
  // again.
  void forget() { knows_where_ = false; }
  // Whether the stream ends with a transaction of which a part is missing.
  bool has_begun() const { return !checks_ && (begun_ || !pieces_.empty()); }
  // It will never be whole, for its writer is dead: it counts as empty. To be said in the stream, too. Answers how many
  // entries that are.
  expected<std::uint64_t> give_up();
  // The same in the stream first, where the writer may be slow and not dead: then this fails with errc::conflict. It is
  // applied here by the next catch_up().
  expected<void> give_up_there(broker& to);
  // For one who writes to both, and stands where this stands: the time of the entries it is about to write here, and
  // that so many are written.
  timestamp next_ts() {
    return last_ts_ = std::max(last_ts_, time_.now());
  } // a write that fails may be there all the same
  void pass(std::uint64_t entries);

private:
  expected<void> begin();
  expected<void> take(const broker_message& x);
  expected<void> check(const std::string& block);
  expected<std::uint64_t> apply(transaction tx, std::vector<std::string> blocks);
  failure at(const failure& why, const broker_message& x) const;

  bus& local_;
  const journal_id id_;
  const std::string stream_;
  const std::uint64_t log_id_;
  const clock& time_;
  bool knows_where_ = false;
  std::uint64_t next_ = 0;       // entries in the local log
  timestamp last_ts_ = earliest; // of the last of them
  message_number after_;         // the stream was read up to here
  bool checks_ = false;          // what comes next must be the last entry that is here
  message_reader messages_;
  bool begun_ = false; // an entry of which a part is missing
  block_reader blocks_;
  std::vector<std::string> pieces_; // of a transaction of which an entry is missing
  std::uint64_t applied_ = 0;
};

} // namespace finstream
