#include "feeds/csv/table_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <zlib.h>

namespace finstream::feed {

namespace {

constexpr std::size_t read_bytes = 256 * 1024;

bool has_suffix(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

} // namespace

void table_reader::file_closer::operator()(void* file) const { gzclose_r(static_cast<gzFile>(file)); }

table_reader::table_reader(void* file, std::string path, char delimiter)
  : file_{file}, path_{std::move(path)}, delimiter_{delimiter}, buffer_(2 * read_bytes) {}

expected<table_reader> table_reader::open(const std::string& path, char delimiter) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0)
    return fail(errc::not_found, "\"" + path + "\" cannot be read: " + std::strerror(errno));
  if (S_ISDIR(found.st_mode)) return fail(errc::not_found, "\"" + path + "\" is a directory, not a CSV file");
  auto file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return fail(errc::not_found, "\"" + path + "\" cannot be read: " + std::strerror(errno));
  gzbuffer(file, read_bytes);
  table_reader reader{file, path, delimiter};
  reader.read_more();
  if (has_suffix(path, ".gz") && gzdirect(file) != 0)
    return fail(errc::io_failure, "\"" + path + "\" is named .gz but is not gzip data");
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (std::string_view{reader.buffer_.data(), reader.end_}.substr(0, 3) == byte_order_mark) reader.begin_ = 3;
  auto any = reader.read_record();
  if (!any) return tl::unexpected{any.error()};
  if (!*any)
    return fail(errc::invalid_argument,
                "\"" + path + "\" is empty: a header line with the names of the columns is needed");
  reader.header_.assign(reader.cells_.begin(), reader.cells_.end());
  return reader;
}

expected<bool> table_reader::next() {
  auto any = read_record();
  if (any && *any) ++row_;
  return any;
}

std::optional<std::size_t> table_reader::find_column(std::string_view name) const {
  auto at = std::find(header_.begin(), header_.end(), name);
  if (at == header_.end()) return std::nullopt;
  return static_cast<std::size_t>(at - header_.begin());
}

expected<bool> table_reader::read_record() {
  for (;;) {
    if (begin_ == end_ && is_complete()) return false;
    if (!scan_record()) {
      if (damage_) return tl::unexpected{*damage_};
      if (end_ - begin_ > max_row_bytes)
        return fail(errc::io_failure, "\"" + path_ + "\", row " + std::to_string(row_ + 1) +
                                        " is longer than 1 MiB: is a quote not closed?");
      // What was scanned is scanned again when there is more of it: once per read at most.
      read_more();
      continue;
    }
    bool is_empty_line = cells_.size() == 1 && cells_.front().empty() && header_.size() != 1;
    if (!is_empty_line) return true;
  }
}

void table_reader::read_more() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() - end_ < read_bytes) buffer_.resize(end_ + read_bytes);
  auto file = static_cast<gzFile>(file_.get());
  auto n = gzread(file, buffer_.data() + end_, static_cast<unsigned>(read_bytes));
  int code = Z_OK;
  if (n < static_cast<int>(read_bytes)) {
    at_end_ = true;
    auto text = gzerror(file, &code);
    // A stream that stops in its middle is Z_BUF_ERROR, and what was in it so far has been read.
    if (code == Z_BUF_ERROR) {
      damage_ = failure{errc::io_failure, "\"" + path_ + "\" is truncated: the gzip data stop in their middle"};
    } else if (code == Z_ERRNO) {
      damage_ = failure{errc::io_failure, "\"" + path_ + "\" cannot be read: " + std::strerror(errno)};
    } else if (code != Z_OK && code != Z_STREAM_END) {
      damage_ = failure{errc::io_failure, "\"" + path_ + "\" is damaged: " + text};
    }
  }
  end_ += static_cast<std::size_t>(std::max(n, 0));
}

// Takes one record off the buffer. False if its end is not there yet.
bool table_reader::scan_record() {
  cells_.clear();
  unquoted_.clear();
  fault_ = {};
  const char* at = buffer_.data() + begin_;
  const char* end = buffer_.data() + end_;
  for (;;) {
    if (at != end && *at == '"') {
      at = scan_quoted(at, end);
      if (at == nullptr) return false;
    } else {
      auto start = at;
      while (at != end && *at != delimiter_ && *at != '\n') ++at;
      cells_.emplace_back(start, static_cast<std::size_t>(at - start));
    }
    if (at == end && !is_complete()) return false;
    if (at == end || *at == '\n') break;
    ++at; // the delimiter
  }
  // A line end may be "\r\n".
  auto& last = cells_.back();
  if (!last.empty() && last.back() == '\r' && last.data() + last.size() == at) last.remove_suffix(1);
  begin_ = static_cast<std::size_t>(at - buffer_.data()) + (at == end ? 0 : 1);
  return true;
}

// A cell that starts with a quote. Returns where it ends: at a delimiter, a line end or the end; null if more is
// needed.
const char* table_reader::scan_quoted(const char* at, const char* end) {
  auto start = ++at;
  std::string* copy = nullptr;
  for (;;) {
    auto quote = static_cast<const char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
    if (quote == nullptr || (quote + 1 == end && !is_complete())) {
      if (quote != nullptr || !is_complete()) return nullptr;
      fault_ = "a quote is not closed";
      cells_.emplace_back(start, static_cast<std::size_t>(end - start));
      return end;
    }
    if (quote + 1 == end || quote[1] != '"') {
      if (copy == nullptr) {
        cells_.emplace_back(start, static_cast<std::size_t>(quote - start));
      } else {
        copy->append(at, quote);
        cells_.emplace_back(*copy);
      }
      at = quote + 1;
      break;
    }
    if (copy == nullptr) {
      copy = &unquoted_.emplace_back(start, quote + 1);
    } else {
      copy->append(at, quote + 1);
    }
    at = quote + 2;
  }
  if (at != end && *at == '\r' && (at + 1 == end || at[1] == '\n')) ++at;
  while (at != end && *at != delimiter_ && *at != '\n') fault_ = "characters after a closing quote", ++at;
  return at;
}

} // namespace finstream::feed
