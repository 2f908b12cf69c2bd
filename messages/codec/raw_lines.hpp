// The lines that the rows of one record of events were made of, as the feed printed them: one line a row, in their
// order, without its newline. Kept beside the events in topic `raw`, where a feed has `raw: all`.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct raw_lines {
  std::uint64_t first_offset = 0; // in topic `events`, of the event of the first line; known once it is there
  std::vector<std::uint32_t> lengths;
  std::string bytes; // one line after the other

  void add(std::string_view line) {
    lengths.push_back(static_cast<std::uint32_t>(line.size()));
    bytes += line;
  }
  // The others, without those at these places, which are sorted.
  raw_lines without(const std::vector<std::uint32_t>& places) const;

  friend bool operator==(const raw_lines&, const raw_lines&) = default;
};

std::string encode_lines(const raw_lines& x, std::uint64_t first_offset);
// Any bytes are safe to decode. Errors: corrupt_record.
expected<raw_lines> decode_lines(std::string_view bytes);

} // namespace finstream
