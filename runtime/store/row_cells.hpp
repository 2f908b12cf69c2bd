// INTERNAL to runtime/store: a row as cells of text, one for each of its fields in order, as a database takes and gives
// them; nothing for what is absent. Exact both ways.
//
// A text of a database is UTF-8 without zero bytes, ours may hold anything. So a zero byte, a byte that is not part of
// UTF-8, and the character U+241B (the symbol for escape) are written as that symbol and two hex digits: 00, ff, 1b.
// All other texts, and that is all that people ever see, are written as they are.
#pragma once

#include "messages/errors.hpp"

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

std::string text_to_cell(std::string_view text);
std::string text_from_cell(std::string_view written);

} // namespace finstream::row_cells
