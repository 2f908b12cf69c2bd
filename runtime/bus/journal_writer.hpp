// THE WRITER of a journal's stream: brings entries to the stream's end, in order and each once, and finds out where
// that is when it is not sure.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/journal.hpp"

#include <optional>
#include <string>
#include <vector>

namespace finstream {

// What the broker has acknowledged at once.
struct published_batch {
  journal_side side = journal_side::events;
  std::uint64_t entries = 0, events = 0, bytes = 0;
  nanoseconds took = 0; // as the caller has measured it
};

class journal_writer {
public:
  journal_writer(const bus& local, journal_id id, std::string stream, std::uint64_t log_id, framing how);

  // Asks the broker what it has. Errors: conflict (the stream is of another log, or another node has written to it),
  // trimmed (it has forgotten more than is still here), and those of the broker. After the first two there is no way
  // on.
  expected<void> meet(broker& to);
  bool has_met() const { return met_; }
  void forget() { met_ = false; }                    // to be called when publishing failed
  std::uint64_t shipped() const { return shipped_; } // entries that the stream has, whole

  // Of the local log's entries behind shipped() about a batch, but none from `until` on.
  expected<published_batch> ship(broker& to, std::uint64_t until);
  // Entries that the local log does not have yet, behind all that it has, which the stream has, too.
  expected<published_batch> publish(broker& to, const std::vector<std::string>& blocks);

private:
  expected<bool> is_ours(broker& to, message_number last) const;
  void add_messages(std::vector<broker_message>& to, std::uint64_t number, const std::string& block,
                    std::optional<message_number> last, std::size_t limit) const;
  expected<void> send(broker& to, const std::vector<broker_message>& messages, std::uint64_t entries);

  const bus& local_;
  const journal_id id_;
  const std::string stream_;
  const std::uint64_t log_id_;
  const framing how_;
  bool met_ = false;
  std::optional<message_number> last_; // in the stream
  std::uint64_t shipped_ = 0;
};

} // namespace finstream
