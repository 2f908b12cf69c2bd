// The language of tests about actors: a world is a node without a front door. It lends its actors a log in memory,
// settings, a clock, and a directory, and runs them in one of two ways. In steps, nothing happens but what the test
// lets happen: one thread, and time that moves when it is told to. With threads, for actors that have some of their own
// (processes, sockets): then a test waits for what must come, with a deadline.
#pragma once

#include "actors/context.hpp"
#include "actors/hub.hpp"
#include "messages/protocols.hpp"
#include "tests/support/market.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace finstream::test {

// A log that can be told to fail, and that writes down what it was asked to do.
class troubled_bus : public bus {
public:
  troubled_bus();

  void refuse(errc why, int after_writes = 0); // every write but the next few; errc::none: all is well again
  void refuse_reading(errc why);               // of what tables hold; errc::none: all is well again
  std::vector<transaction> taken() const;      // the transactions that were written, in order
  int refused() const;
  int reads() const; // of topic events

  expected<receipt> write(transaction tx) override;
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override;
  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override;
  expected<log_range> range(topic where, std::uint16_t partition) const override;
  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override;
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override;
  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override;
  expected<void> sync() override { return inner_->sync(); }
  expected<void> health() const override;
  bus_statistics statistics() const override { return inner_->statistics(); }
  bus_capabilities capabilities() const override { return inner_->capabilities(); }
  const recovery_report& recovery() const override { return inner_->recovery(); }

private:
  std::unique_ptr<bus> inner_;
  mutable std::mutex mutex_;
  errc why_ = errc::none;
  errc why_not_read_ = errc::none;
  int let_through_ = 0;
  int refused_ = 0;
  mutable int reads_ = 0;
  std::vector<transaction> taken_;
};

// Whoever an actor answers to: it writes down all it hears.
struct listener {
  struct heard {
    std::vector<std::uint64_t> appended; // the numbers of the parts
    std::vector<fresh_entries> entries;
    std::vector<fresh_derived> bars;
    std::vector<std::uint64_t> committed;
    std::vector<std::pair<std::string, bool>> set_aside;
    std::vector<sys_event> events;
    std::vector<subscription_change> changes;
  };
  caf::actor handle;
  std::shared_ptr<std::mutex> mutex;
  std::shared_ptr<heard> all;

  heard now() const {
    std::lock_guard guard{*mutex};
    return *all;
  }
  template <class Handle> Handle as() const { return caf::actor_cast<Handle>(handle); }
};

enum class pace { stepped, threads };

class world {
public:
  explicit world(pace how = pace::stepped);
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  settings config; // to be changed before the first actor is there
  manual_clock time{at("09:30:00")};
  troubled_bus log;
  metrics::registry registry;
  node_metrics metrics{registry};
  directory where;
  node_figures figures;
  rules_in_force rules;
  node_context context; // lends `log` and `time`; who changes that has others
  std::shared_ptr<client_links> links = std::make_shared<client_links>();

  caf::actor_system& system();
  void settle();                                  // stepped: until nobody has anything left to do
  void pass(nanoseconds span);                    // stepped: time goes by, 10 ms at a time
  bool until(const std::function<bool()>& holds); // false: not within the deadline

  template <class Handle, class... Ts> void tell(const Handle& to, Ts&&... xs) {
    caf::anon_send(to, std::forward<Ts>(xs)...);
    settle();
  }
  template <class Handle> Handle find(const std::string& path) const { return where.find_as<Handle>(path); }

  appender_actor start_appender(std::uint16_t partition = 0);
  window_actor start_window(std::uint16_t partition = 0);
  hub_actor start_hub();
  listener listen(const std::string& path = ""); // under this path in the directory, if one is given
  void kill(const std::string& path);            // at once, as kill -9 would; whoever watches it hears of it
  void forget(const std::string& path);
  std::optional<std::string> status(const std::string& path); // its state, if it answers
  bool alive(const caf::actor_addr& who) const;
  std::string end_of(const std::string& path) const; // why the last one there ended, in its words; "" while it lives

  std::string saved(const std::string& table, const std::string& key) const; // empty if there is nothing
  std::vector<record> records(topic where_to, std::uint16_t partition = 0) const;
  std::vector<log_entry_ptr> entries(std::uint16_t partition = 0) const;
  std::vector<std::int64_t> events_in_log(std::uint16_t partition = 0) const; // their seqs
  std::vector<derived> derived_in_log(std::uint16_t partition = 0) const;
  std::vector<dead_letter> letters(topic of) const;
  std::uint64_t counted(const std::string& metric_and_labels) const; // as /metrics shows it

protected:
  void end_all(); // for worlds whose own members actors use: in their destructors

private:
  template <class Handle> Handle watched(const std::string& path, Handle who);

  pace how_;
  mutable std::mutex ends_mutex_;
  std::map<std::string, std::string> ends_;
  std::unique_ptr<caf::actor_system_config> system_config_;
  std::unique_ptr<caf::actor_system> system_;
};

// A part of `events`, numbered or not, as an ingestor would hand it over.
chunk_part_ptr part_of(const std::vector<happening>& events, std::optional<resume_point> resume = {});
// Bars of one second, closed half a second after their end.
bar_rules rules_of_one_second();

} // namespace finstream::test
