// THE WRITER of a journal's stream: brings entries to the stream's end, in order and each once, and finds out where
// that is when it is not sure.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/bus/journal.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// What the broker has acknowledged at once.
struct published_batch {
  journal_side side = journal_side::events;
  std::uint64_t entries = 0, events = 0, bytes = 0;
  std::uint64_t left_out = 0; // messages for other programs, by the rules of flow
  nanoseconds took = 0;       // as the caller has measured it
};

class journal_writer {
public:
  journal_writer(const bus& local, journal_id id, std::string stream, std::uint64_t log_id, framing how,
                 flow_rules flow);

  // Asks the broker what it has. Errors: conflict (the stream is of another log, or another node has written to it),
  // trimmed (it has forgotten more than is still here), and those of the broker. After the first two there is no way
  // on.
  expected<void> meet(broker& to);
  bool has_met() const { return met_; }
  void forget() { met_ = false; }                    // to be called when publishing failed
  expected<bool> ends_there(broker& to) const;       // the stream does, where this writer has left it
  std::uint64_t shipped() const { return shipped_; } // entries that the stream has, whole

  // So many bytes wait for the broker, here or in other journals.
  void feel(std::uint64_t waiting_bytes);
  // Of the local log's entries behind shipped() about a batch, but none from `until` on.
  expected<published_batch> ship(broker& to, std::uint64_t until);
  // Entries that the local log does not have yet, behind all that it has, which the stream has, too.
  expected<published_batch> publish(broker& to, const std::vector<std::string>& blocks);

private:
  struct found_entry {
    bool is_ours = false;
    std::size_t block_bytes = 0; // of its block, that are in the stream
  };

  expected<found_entry> look_at_last(broker& to, message_number last) const;
  void add_messages(std::vector<broker_message>& to, std::uint64_t number, const std::string& block, std::size_t limit,
                    published_batch& count);
  std::vector<shown_event> shown(const std::string& block, published_batch& count);
  expected<void> send(broker& to, const std::vector<broker_message>& messages, std::uint64_t entries);

  const bus& local_;
  const journal_id id_;
  const std::string stream_;
  const std::uint64_t log_id_;
  const framing how_;
  const flow_rules flow_;
  bool met_ = false;
  std::optional<message_number> last_; // in the stream
  std::size_t begun_bytes_ = 0;        // of the block of an entry that is not whole there
  std::uint64_t shipped_ = 0;
  bool is_slow_ = false, is_full_ = false;
  std::map<std::string, std::uint64_t> seen_; // while slow, by type
};

} // namespace finstream
