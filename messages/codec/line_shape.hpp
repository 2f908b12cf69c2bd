// The shape of a feed's lines: the characters between the values, and what each value is. A line of a known shape is
// read in one pass, without looking for its structure: compare, convert, compare, convert.
//
// A shape only ever says yes to lines that simdjson would read in the same way. Whatever is not plain (an escape, a
// byte that is not ASCII, a name not seen before, a value to be complained about) it declines, and simdjson decides.
#pragma once

#include "messages/codec/line_event.hpp"
#include "messages/codec/series_table.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// Characters to compare with: the first sixteen here, compared at once, and the words of a longer rest elsewhere.
struct literal {
  static constexpr std::size_t inline_bytes = 16;

  std::array<std::uint64_t, 2> words{};
  std::array<std::uint64_t, 2> masks{}; // the bytes that count
  std::uint32_t size = 0;
  std::uint32_t rest = 0; // where the words of the rest begin

  friend bool operator==(const literal&, const literal&) = default;
};

// What reading a line needs to know, and may remember for the next.
struct shape_context {
  explicit shape_context(const series_table& of) : series{of} {}

  const series_table& series;
  line_rules rules;
  std::vector<std::string> intervals{""}; // of the chunk; rows index into it

  // The provider of the last line that named one, with the quote that ends it.
  literal last_provider;
  std::vector<std::uint64_t> last_provider_rest;
  std::uint32_t last_provider_id = series_table::no_provider;
  std::uint32_t feed_provider_id = series_table::no_provider; // of lines that name none

  // The last minute read: "2026-11-21T14:02:", and when it began.
  std::array<char, 24> minute{};
  timestamp minute_start;
};

struct shaped_line {
  event_row row;
  std::uint32_t partition = 0;
  std::string_view resume; // empty for none
};

class line_shape {
public:
  // From a line (with its newline) that simdjson has read as an event of this kind. Nothing if lines like it are not
  // worth a shape: nested values, escapes, keys that come twice.
  static std::optional<line_shape> learn(std::string_view line, event_kind kind);

  // Reads the line that starts at `p` and returns the start of the next; null if it is not of this shape. Some newline
  // must follow `p`, with line_reader::padding readable bytes after it.
  const char* read(const char* p, shape_context& context, shaped_line& out) const;

  friend bool operator==(const line_shape&, const line_shape&) = default;

private:
  friend class shape_learner;

  enum class action : std::uint8_t {
    end, // of the line; no value follows
    provider,
    symbol,
    interval,
    src_ts,
    seq,
    resume_string,
    resume_integer,
    price,  // a decimal into values[slot]
    amount, // the same, not negative
    skip_string,
    skip_number,
    skip_word,
  };
  // Literal characters, then a value.
  struct step {
    literal before;
    action then = action::end;
    std::uint8_t slot = 0;

    friend bool operator==(const step&, const step&) = default;
  };

  std::vector<step> steps_;
  std::vector<std::uint64_t> rest_; // of the literals over sixteen characters
  event_kind kind_ = event_kind::tick;
};

// The shapes of the last few kinds of lines, the one that fitted last in front: trades and quotes may take turns.
class shape_cache {
public:
  static constexpr std::size_t max_shapes = 4;

  const char* read(const char* p, shape_context& context, shaped_line& out);
  void learn(std::string_view line, event_kind kind);

private:
  std::vector<line_shape> shapes_;
};

} // namespace finstream
