// A BROKER THAT FAILS: the server of a simulation, in memory, and its troubles as a node meets them.
//
// It may be away, refuse for want of room, take only a first part of what is published, or all of it and not say so,
// answer late, and forget the last of what it has acknowledged, as a server does that lost power before it wrote to its
// disk. What it forgets is always the newest, over all streams, in the order in which it was acknowledged.
#pragma once

#include "runtime/broker/memory_broker.hpp"
#include "tests/simulation/chance.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace finstream::simulation {

// How often, of a thousand.
struct broker_troubles {
  std::uint64_t breaks_off = 0, answer_is_lost = 0, answers_late = 0, does_not_answer = 0;
  bool full = false, away = false;
};

class simulated_broker {
public:
  simulated_broker(std::uint64_t seed, std::size_t max_message_bytes, const clock& time);

  broker_troubles troubles;
  std::function<void(nanoseconds)> on_slow; // an answer takes this long

  std::unique_ptr<broker> open(); // a client, with these troubles
  // Without troubles: what is there.
  std::unique_ptr<broker> open_well() { return server_.open(); }
  broker& truth() { return *truth_; }
  bool forget(nanoseconds of_the_last); // some of what was acknowledged within this time; whether there was any
  std::uint64_t history_hash() const { return hash_; }

private:
  friend class troubled_broker;
  struct acknowledged {
    nanoseconds at = 0;
    std::string stream;
    std::optional<message_number> before; // the last message there, until then
  };

  expected<void> answer(std::uint64_t& life);
  expected<void> publish(broker& to, const std::string& stream, std::optional<message_number> after,
                         std::span<const broker_message> messages);
  void keep(const std::string& stream, std::optional<message_number> after, std::span<const broker_message> taken);

  chance chance_;
  const clock& time_;
  memory_broker_server server_;
  std::unique_ptr<broker> truth_;
  std::deque<acknowledged> acknowledged_; // oldest first
  std::uint64_t life_ = 1;                // a new one when it has forgotten something: connections are lost
  std::uint64_t hash_ = 0;
};

} // namespace finstream::simulation
