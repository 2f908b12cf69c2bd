// THE SHIPPER of a log on a broker: brings the entries of its journals, which lie in the log's buffers, to the broker,
// in order and each once. While the broker is down they wait there; when it is back it is asked what it has, and they
// go on behind that. It has a thread of its own, for a broker may let one wait; tests run it step by step instead.
//
// A broker that has forgotten what it had acknowledged (a Redis that was killed before it had written to its disk) is
// sent it again, for entries stay in the buffer for `buffer_keep_ms` more. If it has forgotten more than that, or if
// somebody else has written to a stream, that is said, and nothing more is published: see `trouble`.
#pragma once

#include "runtime/bus/brokered_bus.hpp"
#include "runtime/bus/journal_writer.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace finstream {

class shipper {
public:
  shipper(bus& local, std::uint64_t log_id, const broker_link_options& options, std::unique_ptr<broker> to,
          std::vector<journal_id> journals);
  ~shipper();
  shipper(const shipper&) = delete;
  shipper& operator=(const shipper&) = delete;

  void start(); // the thread
  // One round. What is due next: at once (0), after a pause, or nothing until something is written.
  std::optional<nanoseconds> step();

  // An entry was written to the buffer of this journal; so many bytes.
  void written(journal_id where, std::uint64_t number, std::uint64_t bytes, std::uint32_t events);
  // Whether the broker has it, by then at the latest. Does not wait while the broker is down.
  bool wait_for(journal_id where, std::uint64_t number, nanoseconds patience);
  void wait_for_all(nanoseconds patience); // likewise, for all that was written so far
  // Nothing, or why this log can no longer be written.
  expected<void> state() const;
  buffer_state buffer() const;
  std::uint64_t unsent_bytes() const;

private:
  struct amount {
    std::uint64_t bytes = 0, events = 0;
  };
  struct lane {
    journal_writer writer; // of the shipper's thread alone
    std::string stream;
    std::uint64_t shipped = 0;                                      // entries that the broker has
    std::uint64_t written = 0;                                      // entries in the buffer, all told
    amount unsent;                                                  // in those that the broker does not have
    std::deque<std::pair<nanoseconds, std::uint64_t>> acknowledged; // every while: what was shipped by then
  };

  expected<void> make_durable(const std::map<journal_id, std::uint64_t>& until);
  expected<void> connect();
  expected<void> meet(journal_id id, lane& in);
  void forget();
  expected<void> look_again();
  amount count(journal_id id, std::uint64_t from, std::uint64_t until) const;
  expected<bool> ship(lane& in, std::uint64_t until);
  buffer_state sum() const;
  buffer_state buffer_now() const; // but for what is read from the disk
  std::optional<nanoseconds> fail_over(const failure& why);
  void warn_of_size();
  void came_up(const buffer_state& waiting);
  void trim_buffers();
  void trim_streams();
  void tell(bool up, std::string message);
  nanoseconds next_pause();
  void run();

  bus& local_;
  const broker_link_options options_;
  const std::unique_ptr<broker> to_;
  mutable std::mutex mutex_; // over what follows; not held while the broker is spoken to
  std::condition_variable changed_;
  std::map<journal_id, lane> lanes_;
  std::map<journal_id, std::uint64_t> durable_; // entries that may be brought; of the shipper's thread alone
  bool up_ = false, was_tried_ = false, asks_again_ = false, warned_ = false;
  bool stopping_ = false, has_news_ = false;
  std::optional<failure> trouble_;
  buffer_state buffer_;
  nanoseconds down_since_ = 0, trimmed_at_ = 0;
  int attempts_ = 0;
  std::minstd_rand chance_;
  std::thread thread_; // last
};

} // namespace finstream
