// A broker in memory: one server, shared by as many brokers as are opened on it. It keeps the contract of broker.hpp,
// and on demand goes wrong in the ways in which a real one does, so that tests need not wait for it.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/clock/clock.hpp"

#include <set>

namespace finstream {

class memory_broker_server {
public:
  struct state;

  // By `time` messages become stale and consumers idle.
  explicit memory_broker_server(const clock& time = system_clock());

  // One client. It keeps what the server has alive. Of the options, the url and the deadlines mean nothing here.
  std::unique_ptr<broker> open(broker_options options = {}) const;

  // Faults. Every one may be asked for from any thread, and holds for all clients.
  void set_reachable(bool reachable); // false: every call fails with errc::unreachable and changes nothing
  // Whatever is asked of these streams fails with errc::config_invalid and changes nothing.
  void set_guarded(std::set<std::string> streams);
  // Of what is published from now on so many messages are taken; then the publish() that brought the last of them fails
  // with errc::unreachable, once, and what comes behind them in it is not in the stream. 0: the next one, with nothing.
  void break_after(std::size_t messages);
  void set_full(bool full); // true: publish() fails with errc::overloaded
  void set_max_message_bytes(std::size_t bytes);
  // As a limit of the broker's own does, or a person: without regard to groups.
  void lose_before(const std::string& stream, message_number first_kept);
  // As a server does that comes back with an older state: these were acknowledged, and are gone.
  void lose_behind(const std::string& stream, std::optional<message_number> last_kept);
  // As a group of another program does that has been handed a message as often as it may be.
  void give_up(given_up_message what);

private:
  std::shared_ptr<state> state_;
};

} // namespace finstream
