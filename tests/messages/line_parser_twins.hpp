// Two parsers that see the same lines, one of which may use shapes. They must never differ in what they make of a line.
#pragma once

#include "messages/codec/line_parser.hpp"

#include <string>
#include <string_view>

namespace finstream::test {

class twin_parsers {
public:
  explicit twin_parsers(line_parser_options options) : shaped_{with(options, true)}, plain_{with(options, false)} {}

  // What differs, or nothing.
  std::string parse(std::string_view lines, timestamp ingest_ts) {
    last_ = shaped_.parse(lines, ingest_ts);
    return difference(last_, plain_.parse(lines, ingest_ts));
  }

  const parsed_chunk& last() const { return last_; }
  std::uint64_t by_shape() const { return shaped_.by_shape(); }

private:
  static line_parser_options with(line_parser_options options, bool shape_cache) {
    options.shape_cache = shape_cache;
    return options;
  }

  static std::string difference(const parsed_chunk& a, const parsed_chunk& b) {
    if (a.lines != b.lines) return "lines";
    if (a.events != b.events) return "events";
    if (a.has_resume != b.has_resume || a.resume != b.resume) return "resume";
    if (a.dead_letters != b.dead_letters) return "dead letters";
    if (a.controls.size() != b.controls.size()) return "controls";
    for (std::size_t i = 0; i < a.controls.size(); ++i) {
      const auto &x = a.controls[i], &y = b.controls[i];
      if (x.event != y.event || x.hello != y.hello) return "controls";
    }
    if (a.batches.size() != b.batches.size()) return "batches";
    for (std::size_t i = 0; i < a.batches.size(); ++i) {
      const auto &x = a.batches[i], &y = b.batches[i];
      if ((x == nullptr) != (y == nullptr)) return "batches";
      if (x == nullptr) continue;
      if (x->rows != y->rows) return "rows";
      if (*x->keys != *y->keys) return "keys";
      if (x->intervals != y->intervals) return "intervals";
      if (x->feed != y->feed || x->ingest_ts != y->ingest_ts) return "batches";
    }
    return "";
  }

  line_parser shaped_;
  line_parser plain_;
  parsed_chunk last_;
};

} // namespace finstream::test
