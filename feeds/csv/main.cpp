// finstream-feed-csv: the rows of a file as events, as fast as possible or at the recorded pace. See --help, and
// feeds/README.md for the lines.
#include "feeds/csv/options.hpp"
#include "feeds/csv/row_lines.hpp"
#include "feeds/csv/table_reader.hpp"
#include "feeds/output/contract.hpp"
#include "feeds/output/line_writer.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <limits>

namespace {

using namespace finstream;
using namespace finstream::feed;

constexpr nanoseconds heartbeat_every = 200 * millisecond; // while waiting for a row's time
constexpr std::uint64_t most_rows_named = 1000;            // on standard error; further bad rows are only counted

class csv_feed {
public:
  csv_feed(const csv_options& options, table_reader& table, row_lines& rows)
    : options_{options}, table_{table}, rows_{rows} {}

  // The exit code.
  int run() {
    out_.line(hello_line("csv", options_.resumed));
    out_.flush();
    while (!out_.is_stopped()) {
      auto any = table_.next();
      if (!any || !*any) {
        if (any) out_.line(eof_line);
        out_.flush();
        if (!any) std::fprintf(stderr, "error: %s\n", any.error().message.c_str());
        std::fprintf(stderr, "%s: %" PRIu64 " rows sent, %" PRIu64 " refused\n", refused_ == 0 ? "info" : "warning",
                     sent_, refused_);
        return any ? 0 : 1;
      }
      if (table_.row() > options_.resume_after) send_row();
    }
    out_.flush();
    return 0;
  }

private:
  void send_row() {
    if (auto why = rows_.write(table_, out_)) {
      refuse(*why);
      return;
    }
    if (options_.speed > 0) {
      // Waiting writes heartbeats to the same buffer, so the line is made when its time has come.
      if (!wait_for(rows_.src_ts())) return;
      rows_.write(table_, out_);
    }
    out_.end_line(rows_.end());
    ++sent_;
  }

  void refuse(const std::string& why) {
    if (++refused_ <= most_rows_named)
      std::fprintf(stderr, "warning: row %" PRIu64 " is left out: %s\n", table_.row(), why.c_str());
    if (refused_ == most_rows_named) std::fprintf(stderr, "warning: further bad rows are only counted\n");
  }

  // Until a row of this time is due at the playback's pace; false if the feed is to end.
  bool wait_for(timestamp row_time) {
    auto now = monotonic_time();
    if (sent_ == 0) {
      first_row_time_ = row_time;
      start_ = now;
    }
    auto due_in = static_cast<double>(row_time - first_row_time_) / options_.speed;
    constexpr auto longest = static_cast<double>(std::numeric_limits<nanoseconds>::max() / 4);
    auto due = start_ + static_cast<nanoseconds>(std::clamp(due_in, 0.0, longest));
    if (due <= now) return !out_.is_stopped();
    for (now += heartbeat_every; now < due; now += heartbeat_every) {
      if (!out_.wait_until(now)) return false;
      auto played = static_cast<nanoseconds>(static_cast<double>(now - start_) * options_.speed);
      auto at = std::min(first_row_time_ + played, row_time);
      out_.line(heartbeat_line(at));
    }
    return out_.wait_until(due);
  }

  const csv_options& options_;
  table_reader& table_;
  row_lines& rows_;
  line_writer out_;
  timestamp first_row_time_;
  nanoseconds start_ = 0;
  std::uint64_t sent_ = 0, refused_ = 0;
};

int refuse_to_start(const failure& why) {
  std::fprintf(stderr, "error: %s\n", why.message.c_str());
  // A damaged file may be whole the next time; a name that is wrong stays wrong.
  return why.code == errc::io_failure ? 1 : do_not_restart;
}

} // namespace

int main(int argc, char** argv) {
  auto read = read_options(argc, argv);
  if (auto code = std::get_if<int>(&read)) return *code;
  auto& options = std::get<csv_options>(read);
  auto table = table_reader::open(options.file, options.delimiter);
  if (!table) return refuse_to_start(table.error());
  auto rows = row_lines::make(options, *table);
  if (!rows) return refuse_to_start(rows.error());
  return csv_feed{options, *table, *rows}.run();
}
