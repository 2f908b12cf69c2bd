// WORK KEEPER: which partitions this process works on, of a log that it shares. It says so to the others and hears what
// they say, in a stream that all of them append to (logic/work_table.hpp). What it takes it claims, and has the
// partition's actors started again to work; what it gives, or finds to be another's, is released first.
//
// While the broker is away nobody gives or takes anything. When it is back, those who were silent are waited for anew.
#pragma once

#include "actors/context.hpp"
#include "actors/logic/work_table.hpp"
#include "messages/protocols.hpp"
#include "runtime/broker/broker.hpp"
#include "runtime/bus/brokered_bus.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace finstream {

struct work_sharing {
  brokered_bus* log = nullptr;
  std::function<expected<std::unique_ptr<broker>>()> open_broker;
  std::string stream;
  std::string me; // this process among those that share the log
  nanoseconds claim_after = 10 * second;
};

struct work_keeper_state {
  using interface = work_keeper_actor;
  static constexpr const char* name = "work";

  explicit work_keeper_state(actor_of<work_keeper_state>* self) : self_{self} {}
  ~work_keeper_state(); // nobody works on behalf of one who is not there
  void prepare(node_context* context, work_sharing sharing);
  interface::behavior_type behavior();

private:
  void on_pulse();
  void begin_anew();
  expected<void> hear();
  expected<void> speak();
  expected<bool> say(const work_message& what); // false: another has spoken first
  void settle();
  bool take_up(std::uint16_t partition); // false: it is of no use to try others now
  void let_go(std::uint16_t partition);
  void start_again(std::uint16_t partition);
  void on_stop();
  status_report status() const;

  actor_of<work_keeper_state>* self_;
  node_context* context_ = nullptr;
  work_sharing sharing_;
  std::unique_ptr<broker> broker_;
  std::optional<work_table> table_;
  std::optional<message_number> last_; // message that was heard
  bool hears_ = false;
  bool said_not_to_hear_ = false;
  std::map<std::uint16_t, int> refused_; // partitions that could not be claimed; how often, with the broker there
  std::set<std::uint16_t> works_on_;
};

} // namespace finstream
