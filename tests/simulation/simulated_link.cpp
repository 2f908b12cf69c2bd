#include "tests/simulation/simulated_link.hpp"

#include "runtime/bus/shipper.hpp"

#include <fmt/format.h>

namespace finstream::simulation {

namespace {
constexpr nanoseconds longest_sleep = 5 * second; // as the shipper's thread sleeps
constexpr int most_steps_at_once = 1000;
} // namespace

class simulated_link::local_log : public test::passing_bus {
public:
  explicit local_log(simulated_link& mine) : passing_bus{mine.disk_}, mine_{mine} {}

  expected<receipt> write(transaction tx) override {
    auto id = journal_of(tx);
    std::uint64_t bytes = 0;
    for (auto& x : tx.appends) bytes += x.kind == record_kind::entry ? x.payload.size() : 0;
    auto done = passing_bus::write(std::move(tx));
    if (!done || !id || !*id) return done;
    mine_.last_written_ = {**id, done->offsets.back() + 1};
    mine_.last_bytes_ = bytes;
    mine_.has_news_ = true;
    if (mine_.log_ && mine_.chance_.one_in(3)) mine_.ship();
    return done;
  }

private:
  simulated_link& mine_;
};

class simulated_link::front : public test::passing_bus {
public:
  explicit front(simulated_link& mine) : passing_bus{*mine.log_}, mine_{mine} {}

  expected<receipt> write(transaction tx) override {
    mine_.last_written_.reset();
    auto waits = mine_.buffer().bytes;
    auto done = passing_bus::write(std::move(tx));
    if (!done || !mine_.last_written_) return done;
    if (done->level == durability::broker)
      mine_.on_acknowledged(mine_.last_written_->first, mine_.last_written_->second);
    if (auto most = mine_.options_.buffer_max_bytes; waits != 0 && waits + mine_.last_bytes_ > most)
      mine_.on_broken_rule(fmt::format("{} bytes wait for the broker, and {} more are taken where {} may wait", waits,
                                       mine_.last_bytes_, most));
    return done;
  }

private:
  simulated_link& mine_;
};

simulated_link::simulated_link(simulated_disk& disk, broker_link_options options, std::uint64_t seed)
  : disk_{disk}, options_{std::move(options)}, chance_{seed} {}

simulated_link::~simulated_link() = default;

expected<void> simulated_link::open() {
  auto to = options_.open_broker();
  if (!to) return tl::unexpected{to.error()};
  std::optional<found_log> found;
  if (disk_.recovery().created) {
    auto looked = find_log(**to, options_);
    if (!looked) return tl::unexpected{looked.error()};
    found = *looked;
  }
  auto joined = join_log(std::make_unique<local_log>(*this), found, options_, std::move(*to), "simulated");
  if (!joined) return tl::unexpected{joined.error()};
  log_ = std::move(*joined);
  front_ = std::make_unique<front>(*this);
  return {};
}

void simulated_link::ship() {
  if (std::exchange(ships_, true)) return;
  auto now = [this] { return options_.time->monotonic(); };
  auto steps = 0;
  while (now() >= due_at_ || (sleeps_ && has_news_)) {
    has_news_ = false;
    auto due = log_->link().step();
    sleeps_ = !due;
    due_at_ = now() + due.value_or(longest_sleep);
    if (++steps > most_steps_at_once) {
      on_broken_rule("the shipper is busy and comes to no end");
      break;
    }
  }
  ships_ = false;
}

expected<void> simulated_link::state() const { return log_->link().state(); }

} // namespace finstream::simulation
