// LETTER SENDER: in a process that writes no dead letters, it asks the one that does, by a message in a stream of the
// broker (letter_taker.hpp). That something is set aside is seen in the log, which this process follows; until then it
// is asked for again from time to time, and doing it twice does no harm. Those who wait ask this actor again as well,
// so it can crash. It holds as much as they do: a record for each partition, and the rows of a store's batch that were
// refused.
#pragma once

#include "actors/context.hpp"
#include "messages/protocols.hpp"
#include "runtime/broker/broker.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace finstream {

// The way to the stream of requests.
struct letter_stream {
  std::function<expected<std::unique_ptr<broker>>()> open_broker;
  std::string name;
  std::uint64_t log_id = 0; // of the log that the letters are about
  std::string me;           // this process among those that share the log
};

struct letter_sender_state {
  using interface = letter_sender_actor;
  static constexpr const char* name = "letter_sender";

  explicit letter_sender_state(actor_of<letter_sender_state>* self) : self_{self} {}
  void prepare(node_context* context, letter_stream stream);
  interface::behavior_type behavior();

private:
  struct request {
    set_aside_ptr what;
    set_aside_listener from;
    nanoseconds ask_at = 0;
  };

  void on_request(const set_aside_ptr& what, const set_aside_listener& from);
  void on_pulse();
  expected<void> look_after(); // of those that are set aside their listeners are told, the others are asked for
  expected<void> ask(const set_aside_request& what);
  status_report status() const;

  actor_of<letter_sender_state>* self_;
  node_context* context_ = nullptr;
  letter_stream stream_;
  std::unique_ptr<broker> broker_;
  std::map<std::string, request> waiting_; // by key
  bool said_not_to_ask_ = false;
};

} // namespace finstream
