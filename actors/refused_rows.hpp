// Rows on their way into a store, each knowing where in the log it lies, and the search for those that the store
// refuses for what is in them.
#pragma once

#include "messages/command/log_flow.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace finstream {

struct refusable_row {
  log_stream stream;
  std::uint64_t offset = 0;
  std::variant<bar, feature_vector, signal, dead_letter_entry> what;

  std::string place() const; // "bars/0/4711"
};

// The rows of a record of a derived topic or of dead letters. Errors: corrupt_record.
expected<void> add_rows(std::vector<refusable_row>& into, const log_stream& stream, const record& from);
store_batch batch_of(const std::vector<refusable_row>& rows);

struct refused_row {
  const refusable_row* row = nullptr;
  failure why;
};
// Stores all rows but those that are refused with invalid_argument, which it gives. `stored` gets each receipt. Errors:
// those of the store that are not about a row; then some of the rows may be stored.
expected<std::vector<refused_row>> apply_but_refused(store& into, const std::vector<refusable_row>& rows,
                                                     const std::function<void(const store_receipt&)>& stored);

// The letter in the place of the row, which is no dead_letter_entry.
set_aside_request letter_of(const refused_row& x, const std::string& store, timestamp first_seen, timestamp last_seen,
                            int attempts, std::size_t most_bytes);

} // namespace finstream
