// What may happen in a step of a simulation.
#include "tests/simulation/simulation.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/msgpack.hpp"
#include "tests/simulation/rules.hpp"

#include <fmt/format.h>

namespace finstream::simulation {

namespace {
constexpr nanoseconds process_start_takes = 500 * millisecond;
} // namespace

// ---- what happens every day

void simulation::things_happen() { chance_.of(feeds_)->happen(static_cast<int>(chance_.between(1, 12))); }

void simulation::feeds_print() {
  for (auto& feed : feeds_)
    if (feed->running() && !chance_.one_in(3)) feed->running()->print(static_cast<int>(chance_.between(1, 15)));
  node_->run(chance_.below(30));
}

void simulation::time_passes() { node_->pass(chance_.of(std::vector{50, 100, 300, 1500}) * millisecond); }

void simulation::messages_pass() { node_->run(chance_.below(100)); }

// ---- who dies

void simulation::actor_is_killed() {
  auto paths = node_->paths();
  if (paths.empty()) return; // it has only just begun
  auto& path = chance_.of(paths);
  told(path);
  node_->end_actor(path);
  node_->run(chance_.below(20));
}

void simulation::actor_crashes() {
  auto paths = node_->paths();
  if (paths.empty()) return;
  auto& path = chance_.of(paths);
  told(path);
  node_->where.ask_crash(path);
  node_->run(chance_.below(20));
}

void simulation::feed_dies() {
  if (auto* process = chance_.of(feeds_)->running()) process->die(static_cast<int>(chance_.below(3)), 0);
}

void simulation::feed_hangs() {
  if (auto* process = chance_.of(feeds_)->running()) process->hang();
}

void simulation::feed_cannot_start() { chance_.of(feeds_)->fails_to_start = true; }

void simulation::process_is_killed() {
  end_node();
  forget_what_is_lost(disk_->lose_process());
  time_.advance(process_start_takes);
  disk_->pass(process_start_takes);
  start_node();
}

void simulation::process_dies_in_a_write() { disk_->die_after_writes(chance_.below(8)); }

void simulation::machine_is_killed() {
  end_node();
  auto lost = disk_->lose_machine();
  forget_what_is_lost(lost);
  told(lost ? "with what was not on the disk" : "and nothing is lost");
  time_.advance(process_start_takes);
  start_node();
}

void simulation::node_is_stopped() {
  node_->stop();
  node_->pass(chance_.between(1, 200) * 100 * millisecond);
  process_is_killed(); // those who did not come to an end, too
}

// ---- the machine

void simulation::disk_fills_up() { disk_->troubles.full = true; }

void simulation::disk_has_room() { disk_->troubles.full = false; }

void simulation::disk_gets_worse() {
  disk_->troubles.write_fails = chance_.below(100);
  disk_->troubles.answer_is_lost = chance_.below(100);
  disk_->troubles.write_is_slow = chance_.below(50);
  disk_->troubles.read_fails = chance_.one_in(3) ? chance_.below(100) : 0;
}

void simulation::disk_gets_better() {
  auto full = disk_->troubles.full;
  disk_->troubles = {};
  disk_->troubles.full = full;
}

void simulation::clock_steps() { time_.set_step(chance_.between(-20, 20) * 100 * millisecond); }

void simulation::past_is_found() { past_->find_more(); }

void simulation::rules_change() { node_->obey(rules_number(++rules_number_)); }

// Whole in the log, and yet nobody can do anything with it. No node writes such a record: it is put there while none
// runs.
void simulation::record_is_poisoned() {
  if (poisoned_.size() >= 3) return;
  end_node();
  forget_what_is_lost(disk_->lose_process());
  if (broker_ && book_->is_behind(broker_->truth())) return start_node(); // first it takes what the broker has
  auto partition = static_cast<std::uint16_t>(chance_.below(static_cast<std::uint64_t>(config_.partitions)));
  auto range = disk_->truth().range(topic::events, partition);
  auto last = earliest;
  if (range->next > range->head)
    last = disk_->truth().read(topic::events, partition, range->next - 1, 1)->back().log_ts;
  auto kind = chance_.of(std::vector{record_kind::events, record_kind::source, record_kind::rules});
  std::string payload = "garbage";
  if (kind == record_kind::rules) {
    auto rules = rules_number(rules_number_);
    (chance_.one_in(2) ? rules.features : rules.signals) = "garbage";
    payload = to_msgpack(rules);
  }
  transaction tx;
  tx.appends.push_back({topic::events, partition, kind, 1, std::max(last, time_.now()), payload});
  if (broker_) add_entry(tx);
  disk_->write_as_a_stranger(std::move(tx));
  poisoned_.emplace(partition, range->next);
  told(fmt::format("events/{} at {}", partition, range->next));
  start_node();
}

} // namespace finstream::simulation
