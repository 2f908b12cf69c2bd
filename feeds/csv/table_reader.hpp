// A CSV file, plain or gzipped, row by row (RFC 4180: quoted cells may hold delimiters, doubled quotes and line ends).
// Cells are views into the reader's buffer: nothing is copied but a quoted cell that holds quotes.
#pragma once

#include "messages/errors.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream::feed {

class table_reader {
public:
  static constexpr std::size_t max_row_bytes = 1024 * 1024; // a longer one is a quote that nobody closed

  // Reads the header line too. Errors: not_found (no such file), invalid_argument (no header line), io_failure.
  static expected<table_reader> open(const std::string& path, char delimiter);

  // The next row; false at the end. Empty lines are no rows. Errors: io_failure (truncated or damaged file).
  expected<bool> next();

  std::uint64_t row() const { return row_; }                            // from 1, the header not counted
  const std::vector<std::string_view>& cells() const { return cells_; } // until next()
  std::string_view quoting_fault() const { return fault_; }             // of this row; empty for most
  const std::vector<std::string>& header() const { return header_; }
  std::optional<std::size_t> find_column(std::string_view name) const;

private:
  struct file_closer {
    void operator()(void* file) const;
  };

  table_reader(void* file, std::string path, char delimiter);
  expected<bool> read_record();
  void read_more();
  bool is_complete() const { return at_end_ && !damage_; } // what is in the buffer is the true end of the file
  bool scan_record();
  const char* scan_quoted(const char* at, const char* end);

  std::unique_ptr<void, file_closer> file_; // a gzFile: zlib is seen in the .cpp only
  std::string path_;
  char delimiter_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0; // what is read and not yet taken
  bool at_end_ = false;
  std::optional<failure> damage_; // why nothing more can be read; told when all rows before it have been handed out
  std::vector<std::string> header_;
  std::vector<std::string_view> cells_;
  std::deque<std::string> unquoted_; // cells whose text is not in the buffer as it is
  std::string_view fault_;
  std::uint64_t row_ = 0;
};

} // namespace finstream::feed
