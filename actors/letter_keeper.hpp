// The dead letters of one partition, as far as they are kept: so many of them, the oldest go first. The part of the
// appender that deals with letters, which it writes like everything else of its partition.
#pragma once

#include "actors/context.hpp"

#include <string>
#include <vector>

namespace finstream {

class letter_keeper {
public:
  letter_keeper(node_context* context, std::uint16_t partition);

  expected<void> recover(); // errors: those of the log
  // The transaction writes topic dead_letters nowhere else.
  void add_to(transaction& tx, const std::vector<dead_letter>& letters, timestamp log_ts);
  void on_written();

private:
  expected<void> count_again(std::uint64_t head, std::uint64_t next);
  void trim(log_range range);
  void tell();

  node_context* context_;
  std::uint16_t partition_;
  std::string path_;
  std::uint64_t bytes_ = 0;       // of the letters that are kept, as they are in the log
  std::uint64_t added_bytes_ = 0; // not yet written
};

} // namespace finstream
