// Rows as lines: which cell goes where is found out once, from the header line.
#pragma once

#include "feeds/csv/options.hpp"
#include "feeds/csv/table_reader.hpp"
#include "feeds/output/line_writer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace finstream::feed {

class row_lines {
public:
  // Errors: invalid_argument (a column that is not there, with the names of those that are).
  static expected<row_lines> make(const csv_options& options, const table_reader& table);

  // Makes the reader's row a line; end() is its end, for line_writer::end_line(). Otherwise says what is wrong with the
  // row.
  std::optional<std::string> write(const table_reader& table, line_writer& out);
  char* end() const { return end_; }
  timestamp src_ts() const { return src_ts_; } // of the row written last

private:
  struct number_cell {
    std::size_t index;
    std::string name;
    std::string key; // ,"price":
    bool may_be_empty;
  };

  explicit row_lines(const csv_options& options) : options_{options} {}
  std::optional<std::string> write_symbol(const table_reader& table, char*& out) const;
  std::optional<std::string> write_numbers(const table_reader& table, char*& out) const;
  std::optional<std::string> write_seq(const table_reader& table, char*& out) const;

  const csv_options& options_;
  std::size_t src_ts_index_ = 0;
  std::optional<std::size_t> symbol_index_, seq_index_;
  std::string head_, symbol_constant_, kind_text_;
  std::vector<number_cell> numbers_;
  timestamp src_ts_;
  char* end_ = nullptr;
};

} // namespace finstream::feed
