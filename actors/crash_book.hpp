// Which records crashed the stages of each partition. It outlives the actors that crash, and forgets with the process:
// a node that starts again gives every record its tries anew. What is decided of it is in the log (set_aside.hpp).
#pragma once

#include "messages/command/log_flow.hpp"

#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace finstream {

class crash_book {
public:
  struct crash {
    std::uint64_t offset = 0; // of the record, in topic events
    line_stage stage = line_stage::window;
    std::string reason; // of the last one
    std::uint32_t times = 0;
    timestamp first, last;
  };

  // Does `work` on a record; an exception is noted, and goes on to end the actor.
  template <class Work>
  auto watch(std::uint16_t partition, std::uint64_t offset, line_stage stage, timestamp now, Work work) {
    try {
      return work();
    } catch (const std::exception& e) {
      note(partition, {offset, stage, e.what(), 1, now, now});
      throw;
    }
  }
  void note(std::uint16_t partition, crash what) {
    std::lock_guard lock{mutex_};
    ++crashes_[what.stage];
    auto& last = last_[partition];
    if (last.times != 0 && last.offset == what.offset && last.stage == what.stage)
      what.times += last.times, what.first = last.first;
    last = std::move(what);
  }
  // The last one, if it was at least the `times`th over the same record in the same stage; 0: never.
  std::optional<crash> at_least(std::uint16_t partition, int times) const {
    std::lock_guard lock{mutex_};
    auto at = last_.find(partition);
    if (times <= 0 || at == last_.end() || at->second.times < static_cast<std::uint32_t>(times)) return std::nullopt;
    return at->second;
  }
  std::uint64_t crashes_of(line_stage stage) const { // all told
    std::lock_guard lock{mutex_};
    auto at = crashes_.find(stage);
    return at == crashes_.end() ? 0 : at->second;
  }
  void forget(std::uint16_t partition) {
    std::lock_guard lock{mutex_};
    last_.erase(partition);
  }

private:
  mutable std::mutex mutex_;
  std::map<std::uint16_t, crash> last_;
  std::map<line_stage, std::uint64_t> crashes_;
};

} // namespace finstream
