// LETTER TAKER: in the process that writes dead letters, it has set aside what the other processes that share the log
// cannot get past. They ask by messages in a stream of the broker (letter_sender.hpp). Those are
// handed out to the consumer group `ingest`, and each is acknowledged when its letter is in the log, or refused for
// good. One that is taken by a process which is then killed is claimed by its successor. One that cannot be read, or
// that was handed out again and again, becomes a letter itself: nothing goes round for ever.
#pragma once

#include "actors/context.hpp"
#include "actors/letter_sender.hpp"
#include "messages/protocols.hpp"
#include "runtime/broker/broker.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace finstream {

struct letter_taker_state {
  using interface = letter_taker_actor;
  static constexpr const char* name = "letter_taker";

  explicit letter_taker_state(actor_of<letter_taker_state>* self) : self_{self} {}
  void prepare(node_context* context, letter_stream stream);
  interface::behavior_type behavior();

private:
  struct request {
    set_aside_ptr what;
    std::set<message_number> numbers; // of the messages that ask for it
    nanoseconds hand_on_at = 0;       // once more; its appender may have crashed
  };

  void on_pulse();
  void on_set_aside(const std::string& key);
  expected<void> listen();
  expected<void> take();
  expected<void> claim(); // what was handed to a process that is gone; and what is long dealt with is dropped
  expected<void> keep();
  expected<void> acknowledge();
  expected<void> on_message(const taken_message& x);
  expected<set_aside_ptr> read(const taken_message& x) const;
  expected<bool> is_possible(const set_aside_request& what) const;
  set_aside_ptr letter_about(const taken_message& x, errc code, const std::string& why) const;
  void hand_on(request& x);
  status_report status() const;

  actor_of<letter_taker_state>* self_;
  node_context* context_ = nullptr;
  letter_stream stream_;
  std::unique_ptr<broker> broker_;
  bool listens_ = false;
  bool said_not_to_listen_ = false;
  nanoseconds claim_at_ = 0;
  std::map<std::string, request> underway_; // by key
  std::vector<message_number> done_;        // and not acknowledged yet
};

} // namespace finstream
