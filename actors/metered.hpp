// The one way an actor is spawned. It gets a path in the tree and a gauge that other threads can read: how deep its
// mailbox is, how long messages wait there, how long it works on one, and since when it has been busy.
#pragma once

#include "runtime/clock/clock.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace finstream {

struct actor_gauge {
  std::string path;
  std::atomic<std::uint64_t> enqueued{0};
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::int64_t> busy_since_ns{0};  // monotonic; 0 = idle
  std::atomic<std::uint64_t> processing_ns{0}; // in all
  std::atomic<std::int64_t> longest_ns{0};     // of one message
  std::atomic<std::int64_t> wait_ns{0};        // of the last message that was sampled
  std::atomic<std::int64_t> longest_wait_ns{0};
  std::atomic<bool> crash_asked{false}; // the admin hook: the next message makes it throw

  // One message at a time is followed through the mailbox: its place in line, and when it got there.
  std::atomic<std::uint64_t> sampled_place{0};
  std::atomic<std::int64_t> sampled_at_ns{0};

  std::uint64_t depth() const {
    auto done = handled.load(std::memory_order_relaxed), all = enqueued.load(std::memory_order_relaxed);
    return all > done ? all - done : 0;
  }
  void on_enqueue(std::int64_t now_ns);
  void on_start(std::int64_t now_ns);
  void on_finish(std::int64_t now_ns);
};

// Who is where: path -> gauge and handle. An actor that is started again takes its predecessor's place, so handles are
// looked up when they are needed and never kept across a crash.
class directory {
public:
  void enter(const std::string& path, caf::strong_actor_ptr who, std::shared_ptr<actor_gauge> gauge);
  void leave(const std::string& path, const caf::actor_addr& who); // only if it still is that one
  caf::strong_actor_ptr find(const std::string& path) const;
  template <class Handle> Handle find_as(const std::string& path) const {
    return caf::actor_cast<Handle>(find(path)); // null if nobody is there
  }
  std::vector<std::shared_ptr<actor_gauge>> gauges() const; // sorted by path
  bool ask_crash(const std::string& path);                  // false: nobody there
  void clear();

private:
  struct entry {
    caf::strong_actor_ptr who;
    std::shared_ptr<actor_gauge> gauge;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry> entries_;
};

template <class Base> class metered : public Base {
public:
  using Base::Base;
  using Base::consume;

  std::shared_ptr<actor_gauge> gauge = std::make_shared<actor_gauge>();

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* where) override {
    gauge->on_enqueue(system_clock().monotonic());
    Base::enqueue(std::move(what), where);
  }
  caf::invoke_message_result consume(caf::mailbox_element& what) override {
    gauge->on_start(system_clock().monotonic());
    struct at_end {
      actor_gauge& g;
      ~at_end() { g.on_finish(system_clock().monotonic()); } // after an exception too
    } finish{*gauge};
    if (gauge->crash_asked.exchange(false, std::memory_order_relaxed))
      throw std::runtime_error("crash asked for by the admin hook");
    return Base::consume(what);
  }
};

// What a state's `self` points to.
template <class State> using actor_of = caf::stateful_actor<State, metered<typename State::interface::base>>;

// The exception's own words become the reason of the actor's end: a supervisor says them.
caf::error describe_exception(std::exception_ptr& what);

// Spawns an actor whose State has `using interface = some_actor`, a constructor taking `actor_of<State>*`, and
// `behavior()`. `prepare` gets the state before its behaviour is asked for.
template <class State, caf::spawn_options Options = caf::no_spawn_options, class Prepare>
typename State::interface spawn_metered(caf::actor_system& system, directory& where, const std::string& path,
                                        Prepare prepare) {
  auto handle = system.spawn<Options>([prepare](actor_of<State>* self) -> typename State::interface::behavior_type {
    self->set_exception_handler([](std::exception_ptr& what) { return describe_exception(what); });
    prepare(self->state);
    return self->state.behavior();
  });
  auto* actor = dynamic_cast<actor_of<State>*>(caf::actor_cast<caf::abstract_actor*>(handle));
  where.enter(path, caf::actor_cast<caf::strong_actor_ptr>(handle), actor->gauge);
  return handle;
}

} // namespace finstream
