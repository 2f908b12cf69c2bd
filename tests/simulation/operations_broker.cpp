// What a simulation does with its broker: how the node's log comes to be on one, what may happen to it in a step, and
// what must hold.
#include "runtime/bus/journal_copy.hpp"
#include "tests/simulation/simulation.hpp"

#include <fmt/format.h>
#include <utility>

namespace finstream::simulation {

namespace {
constexpr nanoseconds process_start_takes = 500 * millisecond;
constexpr int starts_in_trouble = 2; // after so many that failed, somebody sees to the disk and the broker
} // namespace

void simulation::choose_broker() {
  // A log that promises nothing may lose what the broker has. Then a feed's resume point, which is in the journal of
  // one partition, may pass over events of another: that is known, and not looked for here.
  if (disk_->level() == durability::none) config_.partitions = 1;
  broker_link_options link;
  link.open_broker = [this] { return broker_->open(); };
  link.partitions = config_.partitions;
  link.how = chance_.one_in(4) ? framing::event : framing::block;
  link.packed = chance_.one_in(4) ? compression::zstd : compression::none;
  link.syncs_first = disk_->level() == durability::interval; // as the node does
  link.acknowledge_timeout_ms = 0;                           // nobody ships while a write waits
  if (chance_.one_in(3)) link.buffer_max_bytes = static_cast<std::uint64_t>(chance_.between(4, 60)) * 1000;
  link.buffer_keep_ms = static_cast<int>(chance_.between(2, 20)) * 1000;
  link.retry_max_ms = 2000;
  link.new_log_id = 1 + chance_.below(1u << 30);
  link.seed = chance_.below(1u << 30);
  link.time = &time_;
  link_options_ = link;
  auto max_message_bytes = chance_.one_in(2) ? chance_.between(40, 600) : 1 << 20;
  broker_ = std::make_unique<simulated_broker>(chance_.below(1u << 30), max_message_bytes, time_);
  broker_->on_slow = [this](nanoseconds span) { disk_->on_slow(span); };
  book_ = std::make_unique<journal_book>(link);
}

void simulation::choose_broker_troubles() {
  using self = simulation;
  std::vector<operation> troubles{{"the broker goes away", 4, &self::broker_goes_away},
                                  {"the broker gets worse", 7, &self::broker_gets_worse},
                                  {"the broker is full", 2, &self::broker_is_full},
                                  {"the broker forgets", 4, &self::broker_forgets},
                                  {"the machine dies in a publish", 3, &self::machine_dies_in_a_publish},
                                  {"the machine is lost", 2, &self::machine_is_lost}};
  for (auto& x : troubles)
    if (chance_.one_in(2)) operations_.push_back(x);
  operations_.push_back({"the broker is back", 6, &self::broker_is_back});
  operations_.push_back({"the broker gets better", 5, &self::broker_gets_better});
}

// A start may fail, as that of a process does whose disk or broker are in trouble; then it is started again.
bus& simulation::open_log() {
  if (!broker_) return *disk_;
  for (int tries = 0;; ++tries) {
    // A new log is not begun without the broker. One that promises nothing, and goes on without asking what it has
    // lost, is another log from there on; it is stopped with a conflict when the broker is back.
    auto may_go_astray = disk_->level() == durability::none && book_->is_behind(broker_->truth());
    if (disk_->recovery().created || may_go_astray) broker_is_back(), broker_gets_better();
    if (tries < starts_in_trouble && chance_.one_in(10)) disk_->die_after_writes(chance_.below(6));
    link_ = std::make_unique<simulated_link>(*disk_, link_options_, chance_.below(~std::uint64_t{0}));
    link_->on_acknowledged = [this](journal_id id, std::uint64_t number) { book_->on_acknowledged(id, number); };
    link_->on_broken_rule = disk_->on_broken_rule;
    ledger_->set_catching_up(true); // one partition after the other
    auto opened = link_->open();
    ledger_->set_catching_up(false);
    if (opened && !disk_->is_dead()) {
      ledger_->check_resume_points(disk_->truth());
      // What the machine and the broker have both lost is gone.
      std::erase_if(poisoned_, [&](auto& x) { return x.second >= disk_->truth().range(topic::events, x.first)->next; });
      return link_->log();
    }
    told(opened ? "the process is gone" : "the log cannot be opened: " + opened.error().message);
    link_.reset();
    forget_what_is_lost(disk_->lose_process());
    time_.advance(process_start_takes);
    if (tries < starts_in_trouble) continue;
    if (tries > starts_in_trouble) return broken("the log cannot be opened: " + opened.error().message), *disk_;
    disk_->troubles = {};
    broker_is_back(), broker_gets_better();
  }
}

// To what is written past the log that a node has open.
void simulation::add_entry(transaction& tx) {
  auto id = **journal_of(tx);
  auto log_ts = std::max(*last_entry_ts(disk_->truth(), id), time_.now());
  for (auto& block : encode_blocks(tx, disk_->recovery().epoch, link_options_.packed))
    tx.appends.push_back(buffer_record(id, log_ts, block));
}

// ---- what may happen in a step

void simulation::broker_goes_away() { broker_->troubles.away = true; }
void simulation::broker_is_back() { broker_->troubles.away = broker_->troubles.full = false; }
void simulation::broker_is_full() { broker_->troubles.full = true; }

void simulation::broker_gets_worse() {
  auto& to = broker_->troubles;
  to.breaks_off = chance_.below(600);
  to.answer_is_lost = chance_.below(300);
  to.answers_late = chance_.below(100);
  to.does_not_answer = chance_.below(200);
}

void simulation::broker_gets_better() {
  auto before = broker_->troubles;
  broker_->troubles = {};
  broker_->troubles.away = before.away, broker_->troubles.full = before.full;
}

// As far as the buffer covers it.
void simulation::broker_forgets() {
  if (!broker_->forget(link_options_.buffer_keep_ms * millisecond)) return;
  book_->on_forgotten(broker_->truth());
  told("with what it had acknowledged");
}

// What it has begun to publish is not on its disk either, mostly.
void simulation::machine_dies_in_a_publish() {
  auto before = std::exchange(broker_->troubles, broker_troubles{.breaks_off = 1000});
  feeds_print();
  link_->ship();
  broker_->troubles = before;
  machine_is_killed();
}

// For good, with its disk: another one goes on with what the broker has, which must be all.
void simulation::machine_is_lost() {
  if (!book_->is_all_in(broker_->truth())) return;
  end_node();
  disk_->lose_all();
  forget_what_is_lost(true);
  told("another goes on with what the broker has");
  time_.advance(process_start_takes);
  start_node();
}

// ---- what must hold

void simulation::check_link() {
  if (!link_) return;
  if (auto well = link_->state(); !well) broken("the log on the broker is stopped: " + well.error().message);
  if (auto said = book_->check_acknowledged(broker_->truth())) broken(*said);
  auto waits = link_->buffer();
  if (waits.entries == 0 && (waits.bytes != 0 || waits.events != 0))
    broken(fmt::format("no entry waits for the broker, and {} bytes with {} events do", waits.bytes, waits.events));
}

void simulation::check_streams() {
  if (!broker_) return;
  for (auto& said : {book_->check_streams(broker_->truth()), book_->check_copy(disk_->truth(), broker_->open_well())})
    if (said) broken(*said);
}

bool simulation::is_shipped() const { return !broker_ || book_->is_all_in(broker_->truth()); }

} // namespace finstream::simulation
