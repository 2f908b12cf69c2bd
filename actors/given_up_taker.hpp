// GIVEN-UP TAKER: other programs may read the log's streams in consumer groups of their own. Where the broker tells
// that such a group has given up on a message, this makes a dead letter of it. What is told is forgotten by the broker
// when the letter is in the log; what is told twice is one letter.
#pragma once

#include "actors/context.hpp"
#include "messages/protocols.hpp"
#include "runtime/broker/broker.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace finstream {

struct given_up_source {
  std::function<expected<std::unique_ptr<broker>>()> open_broker;
  std::string kept_in;                         // the stream in which the broker writes it down
  std::map<std::string, std::uint16_t> of_log; // the log's streams, and the partition of each
};

struct given_up_taker_state {
  using interface = given_up_taker_actor;
  static constexpr const char* name = "given_up_taker";
  static constexpr const char* path = "/given_up";

  explicit given_up_taker_state(actor_of<given_up_taker_state>* self) : self_{self} {}
  void prepare(node_context* context, given_up_source source);
  interface::behavior_type behavior();

private:
  struct letter {
    set_aside_ptr what;
    std::string id; // of what was told
  };

  void on_pulse();
  void on_set_aside(const std::string& key);
  expected<void> forget();
  expected<void> take();
  set_aside_ptr letter_about(const given_up_message& x) const;
  status_report status() const;

  actor_of<given_up_taker_state>* self_;
  node_context* context_ = nullptr;
  given_up_source source_;
  std::unique_ptr<broker> broker_;
  bool hears_ = true;
  std::map<std::string, letter> underway_; // by key
  std::vector<std::string> forgettable_;
};

} // namespace finstream
