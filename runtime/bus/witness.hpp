// THE WITNESS. A small file beside the log, mapped into memory, that holds for each topic and partition the offset up
// to which appends were acknowledged. A store into it costs nothing and survives the death of the process, so that
// after a crash it can testify: a log that ends earlier than was promised has lost something, and how much. It is no
// part of the truth; a witness that is absent, foreign or damaged only has nothing to say.
//
// After the death of the machine it says what the kernel had written of it by then, which may be less than was
// promised.
#pragma once

#include "runtime/bus/bus.hpp"

namespace finstream {

class witness {
public:
  struct promise {
    topic where;
    std::uint16_t partition;
    std::uint64_t next;
  };

  // What the file in `directory` promises of the log of this epoch, and the level it was written at.
  struct testimony {
    durability level = durability::none;
    std::vector<promise> promises;
    std::string silence; // why it has nothing to say, if that is so
  };
  static testimony hear(const std::string& directory, std::uint64_t epoch);

  // Begins anew: every slot is free.
  static expected<std::unique_ptr<witness>> open(const std::string& directory, std::uint64_t epoch, durability level);
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness();

  // The slot for a topic and partition; `no_slot` when the file is full: nothing will be promised then.
  std::size_t enter(topic where, std::uint16_t partition, std::uint64_t next);
  void promise_next(std::size_t slot, std::uint64_t next);
  static constexpr std::size_t no_slot = static_cast<std::size_t>(-1);

private:
  explicit witness(void* map) : map_{map} {}

  void* map_;
  std::size_t used_ = 0;
};

} // namespace finstream
