// THE FOLLOWER: journals that other processes write, or may write. It applies what comes into their streams to the
// local log, on a thread of its own. A journal that this process claims is its own to write until it is released; then
// an entry goes to the broker first and into the local log when the broker has it, so that what a process writes that
// is no longer to write is refused, and is nowhere.
//
// Who may claim which journal is agreed upon elsewhere (actors/logic/work_table.hpp). If two believe that a journal is
// theirs, the entry that comes second is refused with errc::conflict, and nothing is lost or doubled.
#pragma once

#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/journal_copy.hpp"
#include "runtime/bus/journal_writer.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace finstream {

class follower {
public:
  follower(bus& local, std::uint64_t log_id, const broker_link_options& options, std::unique_ptr<broker> from,
           const std::vector<journal_id>& journals);
  ~follower();
  follower(const follower&) = delete;
  follower& operator=(const follower&) = delete;

  void start(); // the thread
  // One round over all journals. How long to pause before the next.
  nanoseconds step();

  bool knows(journal_id id) const { return lanes_.contains(id); }
  // The local log has all that the stream holds when this returns; what a dead writer had begun there is given up.
  expected<void> claim(journal_id id);
  void release(journal_id id);
  // Of a transaction, with the blocks it is encoded in. Errors: conflict (not claimed; or another has written
  // meanwhile, or what was written before got there although its answer was lost: then the local log has it now), those
  // of the broker and of the local log.
  expected<receipt> write(journal_id id, transaction tx, std::vector<std::string> blocks);

  expected<void> state() const; // nothing, or why a journal cannot be followed any further

private:
  struct lane {
    std::mutex mutex; // held while the broker is spoken to
    std::atomic<bool> claimed{false};
    journal_copy copy;
    journal_writer writer;
    std::unique_ptr<broker> to; // while it is claimed: of its own, for partitions write side by side

    void forget() { copy.forget(), writer.forget(); }
  };

  expected<std::uint64_t> regain(lane& in, journal_id id);
  void note_trouble(const failure& why);
  void note_access();
  void forget();
  void trim();
  void run();

  bus& local_;
  const broker_link_options options_;
  const std::unique_ptr<broker> from_;
  std::map<journal_id, std::unique_ptr<lane>> lanes_;
  nanoseconds pause_ = 0, trimmed_at_ = 0;
  mutable std::mutex mutex_; // over what follows
  std::condition_variable changed_;
  std::optional<failure> trouble_;
  bool stopping_ = false;
  std::thread thread_; // last
};

} // namespace finstream
