#include "feeds/csv/row_lines.hpp"

#include "feeds/csv/cells.hpp"
#include "feeds/output/json_text.hpp"
#include "feeds/output/put.hpp"

#include <charconv>

namespace finstream::feed {

namespace {

constexpr std::size_t longest_cell_shown = 40;

std::string shown(const std::string& name, std::string_view cell) {
  return name + " \"" + json_text(cell.substr(0, longest_cell_shown)).value_or("(not UTF-8)") + "\"";
}

} // namespace

expected<row_lines> row_lines::make(const csv_options& options, const table_reader& table) {
  std::string missing;
  auto find = [&](const column& wanted) {
    auto found = table.find_column(wanted.name);
    if (!found && wanted.required) missing += (missing.empty() ? "" : ", ") + wanted.name;
    return found;
  };
  row_lines rows{options};
  rows.head_ = R"({"ver":1,"provider":")" + options.provider + R"(","symbol":")";
  rows.src_ts_index_ = find(options.src_ts).value_or(0);
  if (options.symbol_name.empty()) {
    rows.symbol_index_ = find(options.symbol);
  } else {
    rows.symbol_constant_ = *json_text(options.symbol_name);
  }
  rows.seq_index_ = find(options.seq);
  auto add_number = [&](const column& wanted, const char* key, bool may_be_empty) {
    if (auto found = find(wanted))
      rows.numbers_.push_back({*found, wanted.name, std::string{",\""} + key + "\":", may_be_empty});
  };
  if (options.kind == row_kind::trade) {
    rows.kind_text_ = R"(","kind":"tick","src_ts":")";
    add_number(options.price, "price", false);
    add_number(options.size, "size", false);
  } else {
    rows.kind_text_ = R"(","kind":"quote","src_ts":")";
    add_number(options.bid, "bid", true);
    add_number(options.ask, "ask", true);
    add_number(options.bid_size, "bid_size", true);
    add_number(options.ask_size, "ask_size", true);
  }
  if (missing.empty()) return rows;
  std::string there;
  for (auto& name : table.header()) there += (there.empty() ? "" : ", ") + name;
  return fail(errc::invalid_argument, "\"" + options.file + "\" has no column " + missing +
                                        "; its columns are: " + there + ". Name the right ones, see --help");
}

std::optional<std::string> row_lines::write(const table_reader& table, line_writer& out) {
  auto& cells = table.cells();
  if (!table.quoting_fault().empty()) return std::string{table.quoting_fault()};
  if (cells.size() != table.header().size())
    return "it has " + std::to_string(cells.size()) + " cells, the header line names " +
           std::to_string(table.header().size());
  auto needed = head_.size() + symbol_constant_.size() + 512;
  for (auto cell : cells) needed += 6 * cell.size(); // a control character in a name becomes six bytes
  if (needed > line_writer::max_line_bytes) return "it is too long";
  auto to = put(out.room(needed), head_);
  if (auto why = write_symbol(table, to)) return why;
  to = put(to, kind_text_);
  auto time = cells[src_ts_index_];
  to = write_time(to, time, options_.times, src_ts_);
  if (to == nullptr)
    return shown(options_.src_ts.name, time) + (options_.times.unit == 0
                                                  ? " is not an RFC 3339 time (--time-unit reads counts)"
                                                  : " is not a count since 1970, or out of range");
  *to++ = '"';
  if (auto why = write_numbers(table, to)) return why;
  if (auto why = write_seq(table, to)) return why;
  to = put(to, ",\"resume\":\"");
  to = put_number(to, table.row());
  end_ = put(to, "\"}\n");
  return std::nullopt;
}

std::optional<std::string> row_lines::write_symbol(const table_reader& table, char*& out) const {
  if (!symbol_index_) {
    out = put(out, symbol_constant_);
    return std::nullopt;
  }
  auto cell = trim(table.cells()[*symbol_index_]);
  if (cell.empty()) return options_.symbol.name + " is empty";
  if (is_plain(cell)) {
    out = put(out, cell);
    return std::nullopt;
  }
  auto text = json_text(cell);
  if (!text) return options_.symbol.name + " is not UTF-8";
  out = put(out, *text);
  return std::nullopt;
}

std::optional<std::string> row_lines::write_numbers(const table_reader& table, char*& out) const {
  bool any = false;
  for (auto& number : numbers_) {
    auto cell = trim(table.cells()[number.index]);
    if (cell.empty()) {
      if (number.may_be_empty) continue;
      return number.name + " is empty";
    }
    out = write_number(put(out, number.key), cell);
    if (out == nullptr) return shown(number.name, cell) + " is not a decimal number";
    any = true;
  }
  return any ? std::nullopt : std::optional<std::string>{"neither bid nor ask has a value"};
}

std::optional<std::string> row_lines::write_seq(const table_reader& table, char*& out) const {
  auto seq = static_cast<std::int64_t>(table.row());
  if (seq_index_) {
    auto cell = trim(table.cells()[*seq_index_]);
    auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), seq);
    if (cell.empty() || error != std::errc{} || end != cell.data() + cell.size())
      return shown(options_.seq.name, cell) + " is not a whole number of 64 bits";
  }
  out = put(out, ",\"seq\":");
  out = put_number(out, seq);
  return std::nullopt;
}

} // namespace finstream::feed
