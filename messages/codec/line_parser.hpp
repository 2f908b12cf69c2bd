// A feed's lines -> rows of events. One parser per feed process; it holds the feed's names and the shape of its lines.
//
// A feed prints almost every line with the same keys in the same order, so the parser keeps the shape of the last good
// line (the characters between the values) and reads the next line against it: compare, convert, done. Any line that
// differs in anything is read by simdjson, and gives the new shape. Both ways give the same result for every line; a
// fuzz target holds them together.
#pragma once

#include "messages/codec/raw_lines.hpp"
#include "messages/command/pace_line.hpp"
#include "messages/event/dead_letter.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/source_event.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct line_parser_options {
  std::string feed; // the provider of lines that name none, and the feed of dead letters
  std::uint32_t partitions = 1;
  rounding rounding_mode = rounding::reject;
  nanoseconds max_future = 5 * second;
  std::size_t max_line_bytes = 64 * 1024;       // longer lines are dead letters line_too_long
  std::size_t max_dead_letter_bytes = 4 * 1024; // of a bad line's bytes that are kept
  std::size_t max_keys = 100'000; // provider+symbol pairs a feed may name; more are dead letters overloaded
  std::uint64_t config_hash = 0;  // for dead letters
  bool keep_lines = false;        // whether the chunk's lines are kept beside its events
  bool shape_cache = true;        // off: every line through simdjson, for comparison
};

// What a feed says beside events.
struct control_line {
  source_event event;
  bool hello = false;
  std::optional<pace_line> pace; // then it is nothing else
};

// What one chunk of lines became.
struct parsed_chunk {
  std::vector<std::shared_ptr<event_batch>> batches;       // one a partition; null where it got no events
  std::vector<std::shared_ptr<raw_lines>> lines_of_events; // with keep_lines: beside each batch, its rows' lines
  std::vector<control_line> controls;                      // in the order of the lines
  std::vector<pace_line> paces;
  std::vector<dead_letter> dead_letters;
  resume_point resume; // of the last event line; its token is the last one seen
  bool has_resume = false;
  std::uint64_t events = 0;
  std::uint64_t lines = 0;
};

// Which partition a symbol belongs to. DO NOT CHANGE: it decides where events are in the log.
std::uint32_t partition_of(std::string_view symbol, std::uint32_t partitions);

class line_parser {
public:
  explicit line_parser(line_parser_options options);
  ~line_parser();
  line_parser(line_parser&&) noexcept;

  // `lines` is whole lines, the last one's newline included or the feed's output at its end. Never fails: what cannot
  // be used is in dead_letters. `ingest_ts` is when the bytes were read.
  parsed_chunk parse(std::string_view lines, timestamp ingest_ts);

  // For a line that was given up before its end because it was too long: counts it and makes its dead letter.
  // `total_bytes` is all of it that was read, its newline too.
  dead_letter give_up_line(std::string_view first_bytes, std::uint64_t total_bytes, timestamp ingest_ts);

  // How many events were read by their shape, and how many by simdjson.
  std::uint64_t by_shape() const;
  std::uint64_t by_simdjson() const;

private:
  struct implementation;
  std::unique_ptr<implementation> self_;
};

} // namespace finstream
