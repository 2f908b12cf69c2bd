// THE PAST, POSTED: what an operator gives the backfill lane, in posts, as `finstream backfill` does. A post is
// repeated until it is taken, also when nobody answers because the node is gone, and some are posted once more after
// that.
#pragma once

#include "messages/command/backfill.hpp"
#include "runtime/clock/clock.hpp"
#include "tests/simulation/chance.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace finstream::simulation {

class simulated_archive {
public:
  simulated_archive(std::uint64_t seed, const clock& time) : chance_{seed}, time_{time} {}

  std::function<bool(const std::string& event_id)> is_in_log;
  std::function<void(const std::string&)> on_broken_rule;

  void find_more(); // one more post, of some seconds that are past
  bool has_more() const { return done_ < posts_.size(); }
  // What is to be posted now; null while an answer is awaited.
  backfill_post_ptr next();
  // Whoever was asked answers no more. Where the log lost something, all is posted again.
  void node_is_gone(bool lost) {
    ++life_;
    if (lost) done_ = 0;
  }
  // The first event that was taken and is not in the log.
  std::optional<std::string> lost() const;

private:
  struct one_post {
    std::string lines;
    std::vector<std::string> event_ids;
    bool left_alone = false; // some of it: the log does not go back that far
  };
  void on_answer(std::size_t post, const backfill_answer& answer);

  chance chance_;
  const clock& time_;
  std::vector<one_post> posts_;
  std::size_t done_ = 0;
  std::int64_t last_seq_ = 1'000'000; // never a feed's
  std::uint64_t life_ = 0;
  std::uint64_t asked_in_ = ~std::uint64_t{0}; // the life in which an answer is awaited
  nanoseconds asked_at_ = 0, not_before_ = 0;
};

} // namespace finstream::simulation
