// WHO WORKS ON WHICH PARTITION, among processes that share a log. There is no one to decide it: each process says what
// it takes and gives in a stream that all of them read, and may only append to if it has read all that is in it. So all
// read the same in the same order and have the same table, and of two that want a partition at once the second is told
// to read on first.
//
// A process that says nothing for `claim_after` counts as dead for those who have waited that long, and what it held is
// taken by others. If it was only slow, it finds that out when it reads on, and starts anew with nothing. Each has an
// equal share, more or less one; who has more gives, and who has less takes what is free. Now and then each says all it
// holds, so that the beginning of the stream may be dropped. Plain arithmetic.
#pragma once

#include "messages/command/work_message.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace finstream {

class work_table {
public:
  work_table(std::string me, int partitions, nanoseconds claim_after);

  // `now` is monotonic: when it was read, in the order of the stream.
  void on_message(const work_message& what, nanoseconds now);
  // Nobody could be heard until now: that they were silent says nothing of them.
  void on_silence(nanoseconds now);

  // What is to be said now, if anything.
  std::optional<work_message> decide(nanoseconds now) const;
  work_message farewell() const;

  std::set<std::uint16_t> mine() const;
  int workers() const { return static_cast<int>(heard_.size()); }
  // A process that was heard of lately counts other partitions than this one: the sentence that says so. Until it is
  // gone, nothing should be said.
  std::optional<std::string> contradiction(nanoseconds now) const;

private:
  void forget(const std::string& worker);
  std::vector<std::string> dead(nanoseconds now) const;
  std::size_t share(const std::vector<std::string>& without) const;

  const std::string me_;
  const std::uint16_t partitions_;
  const nanoseconds claim_after_;
  std::map<std::string, nanoseconds> heard_; // by worker: when it was heard last
  std::map<std::uint16_t, std::string> holder_;
  std::map<std::string, std::pair<std::uint16_t, nanoseconds>> others_; // who counts how many, and when it was heard
};

} // namespace finstream
