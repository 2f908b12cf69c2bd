// INTERNAL to runtime/store: a row as cells of text, one for each of its fields in order, as a database takes and gives
// them; nothing for what is absent. Exact both ways.
//
// A text of a database is UTF-8 without zero bytes, ours may hold anything. So a zero byte, a byte that is not part of
// UTF-8, and the character U+241B (the symbol for escape) are written as that symbol and two hex digits: 00, ff, 1b.
// All other texts, and that is all that people ever see, are written as they are.
#pragma once

#include "messages/errors.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream::row_cells {

using cell = std::optional<std::string>;
using cells = std::vector<cell>;
using cell_views = std::vector<std::optional<std::string_view>>;

// Of bar, feature_vector, signal, job_run and dead_letter_entry.
template <class Row> cells from_row(const Row& x);
// Errors: corrupt_record, with the field.
template <class Row> expected<Row> to_row(const cell_views& from);

// In one text: each cell a mark and its content, which holds no zero byte.
template <class Row> std::string pack(const Row& x) {
  std::string out;
  for (auto& part : from_row(x)) out += part ? "+" + *part + '\0' : std::string("-\0", 2);
  return out;
}
template <class Row> expected<Row> unpack(std::string_view bytes) {
  cell_views parts;
  while (!bytes.empty()) {
    auto end = std::min(bytes.find('\0'), bytes.size() - 1);
    if (bytes[0] == '+')
      parts.emplace_back(bytes.substr(1, end - 1));
    else
      parts.emplace_back();
    bytes.remove_prefix(end + 1);
  }
  return to_row<Row>(parts);
}

std::string text_to_cell(std::string_view text);
std::string text_from_cell(std::string_view written);

} // namespace finstream::row_cells
