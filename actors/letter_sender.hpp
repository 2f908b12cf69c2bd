// LETTER SENDER: in a process that writes no dead letters, it asks the one that does, by messages in a stream of the
// broker (letter_taker.hpp). That something is set aside is seen in the log, which this process follows. It is asked
// for again after a while, but not while the last message about it waits to be dealt with; doing it twice does no harm.
//
// Those who wait ask this actor again with every pulse of their own, so it can crash, and what nobody asks for any more
// is forgotten. It holds as much as they do: a record for each partition, and the rows of a store's batch that were
// refused.
#pragma once

#include "actors/context.hpp"
#include "messages/protocols.hpp"
#include "runtime/broker/broker.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace finstream {

// The way to the stream of requests.
struct letter_stream {
  std::function<expected<std::unique_ptr<broker>>()> open_broker;
  std::string name;
  std::uint64_t log_id = 0; // of the log that the letters are about
  std::string me;           // this process among those that share the log
};

inline constexpr const char* letter_group = "ingest"; // to which the requests are handed out
// Its ends. Errors: those of the broker; config_invalid, if the requests in it are about another log.
expected<stream_ends> open_letters(broker& there, const letter_stream& stream);
tl::unexpected<failure> of_another_log(const letter_stream& stream);

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
    nanoseconds heard_at = 0;           // when `from` asked for it last
    nanoseconds ask_at = 0;             // once more
    std::optional<message_number> said; // the last message about it
  };

  void on_request(const set_aside_ptr& what, const set_aside_listener& from);
  void on_pulse();
  // Tells the listeners of what is set aside, or never will be. Answers what it is time to ask for.
  expected<std::vector<request*>> look_after();
  expected<void> ask(std::vector<request*> due);
  expected<void> leave_out_waiting(std::vector<request*>& due, const stream_ends& ends);
  expected<void> publish(const std::vector<request*>& due, stream_ends ends);
  broker_message message_about(const set_aside_request& what) const;
  status_report status() const;

  actor_of<letter_sender_state>* self_;
  node_context* context_ = nullptr;
  letter_stream stream_;
  std::unique_ptr<broker> broker_;
  std::map<std::string, request> waiting_; // by key
  bool said_not_to_ask_ = false;
};

} // namespace finstream
