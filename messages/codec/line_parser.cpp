#include "messages/codec/line_parser.hpp"

#include "messages/codec/line_event.hpp"
#include "messages/codec/line_fields.hpp"
#include "messages/codec/line_shape.hpp"
#include "messages/codec/series_table.hpp"
#include "messages/value/excerpt.hpp"

#include <cstring>
#include <set>
#include <xxhash.h>

namespace finstream {

namespace {

constexpr std::size_t typical_line_bytes = 160;     // until the feed has shown its own
constexpr std::size_t smallest_line_bytes = 48;     // of an event; so many rows a chunk can have at most
constexpr std::size_t most_control_providers = 256; // that a feed says hello for: each is remembered for good
constexpr std::size_t max_intervals = 256;          // of one chunk, none included: rows keep them in a byte

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

// `t + d`, or the end of time.
timestamp later(timestamp t, nanoseconds d) {
  timestamp out;
  if (__builtin_add_overflow(t.ns, d, &out.ns)) out.ns = std::numeric_limits<std::int64_t>::max();
  return out;
}

} // namespace

std::uint32_t partition_of(std::string_view symbol, std::uint32_t partitions) {
  return partitions <= 1 ? 0 : static_cast<std::uint32_t>(XXH3_64bits(symbol.data(), symbol.size()) % partitions);
}

struct line_parser::implementation {
  explicit implementation(line_parser_options given) : options{std::move(given)}, context{series} {
    ensure(options.partitions > 0, "a feed's events go to at least one partition");
    rows_last_chunk.assign(options.partitions, 0);
  }

  parsed_chunk parse(std::string_view lines, timestamp ingest_ts);
  void parse_region(const char* begin, const char* end);
  void parse_line(const char* begin, const char* end);
  expected<line_type> read(std::string_view line, line_event& event, control_line& control);
  expected<void> accept(const line_event& event, std::string_view line);
  expected<void> accept(control_line control);
  expected<const series_table::slot*> find_or_add(const line_event& event);
  expected<std::uint8_t> interval_index(std::string_view interval);
  void append(const event_row& row, std::uint32_t partition);
  void keep(std::string_view line, std::uint32_t partition);
  event_batch& start_batch(std::uint32_t partition);
  void finish();
  dead_letter bury(failure why, std::string_view bytes, std::uint64_t byte_offset) const;

  line_parser_options options;
  series_table series;
  shape_context context;
  shape_cache shapes;
  line_reader reader;
  line_fields fields;
  std::string tail;         // the end of a chunk, copied for the padding after it
  std::string resume_token; // the last one seen
  std::set<std::string> control_providers;
  std::uint64_t lines_seen = 0;
  std::uint64_t bytes_seen = 0; // before the chunk, and after it is parsed its end
  std::uint64_t by_shape = 0;
  std::uint64_t by_simdjson = 0;
  std::vector<std::size_t> rows_last_chunk; // a partition
  std::size_t bytes_last_chunk = 0;

  // Of the chunk at work.
  parsed_chunk* chunk = nullptr;
  timestamp ingest_ts;
  std::size_t chunk_bytes = 0;
  std::string_view last_resume; // of the last shaped line that had one, if it came after resume_token
  timestamp last_src_ts;
  std::int64_t last_seq = 0;
};

// Both readers look at some bytes beyond the end of a line. So the last lines of the chunk, behind which there is
// nothing to look at, are copied to where there is.
parsed_chunk line_parser::implementation::parse(std::string_view lines, timestamp now) {
  parsed_chunk out;
  out.batches.resize(options.partitions);
  if (options.keep_lines) out.lines_of_events.resize(options.partitions);
  if (lines.empty()) return out;
  chunk = &out;
  ingest_ts = now;
  chunk_bytes = lines.size();
  context.rules = {options.feed, options.rounding_mode, later(now, options.max_future)};
  context.intervals.assign(1, "");
  auto cut = lines.size() > line_reader::padding ? lines.substr(0, lines.size() - line_reader::padding).rfind('\n')
                                                 : std::string_view::npos;
  auto region = cut == std::string_view::npos ? 0 : cut + 1;
  parse_region(lines.data(), lines.data() + region);
  auto rest = lines.substr(region);
  tail.assign(rest);
  if (rest.back() != '\n') tail += '\n';
  auto tail_size = tail.size();
  tail.append(line_reader::padding, '\0');
  parse_region(tail.data(), tail.data() + tail_size);
  bytes_seen -= tail_size - rest.size(); // a newline of ours is not the feed's
  finish();
  chunk = nullptr;
  return out;
}

void line_parser::implementation::parse_region(const char* begin, const char* end) {
  shaped_line line;
  for (auto p = begin; p != end;) {
    ++lines_seen;
    ++chunk->lines;
    auto next = options.shape_cache ? shapes.read(p, context, line) : nullptr;
    if (next != nullptr && static_cast<std::size_t>(next - p) <= options.max_line_bytes) [[likely]] {
      ++by_shape;
      if (!line.resume.empty()) last_resume = line.resume;
      append(line.row, line.partition);
      if (options.keep_lines) keep({p, static_cast<std::size_t>(next - p - 1)}, line.partition);
      bytes_seen += static_cast<std::size_t>(next - p);
      p = next;
      continue;
    }
    auto newline = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
    parse_line(p, newline);
    bytes_seen += static_cast<std::size_t>(newline + 1 - p);
    p = newline + 1;
  }
}

// One line by simdjson, from `begin` to its newline at `end`.
void line_parser::implementation::parse_line(const char* begin, const char* end) {
  auto line = std::string_view{begin, static_cast<std::size_t>(end - begin)};
  if (is_blank(line)) return;
  line_event event;
  control_line control;
  auto type = read(line, event, control);
  auto is_control = type && *type == line_type::control;
  auto done = !type        ? expected<void>{tl::unexpected{std::move(type.error())}}
              : is_control ? accept(std::move(control))
                           : accept(event, line);
  if (!done) {
    chunk->dead_letters.push_back(bury(std::move(done.error()), line, bytes_seen));
    return;
  }
  if (is_control) return;
  ++by_simdjson;
  if (options.shape_cache) shapes.learn({begin, line.size() + 1}, event.row.kind);
}

expected<line_type> line_parser::implementation::read(std::string_view line, line_event& event, control_line& control) {
  if (line.size() > options.max_line_bytes)
    return fail(errc::line_too_long, "a line of " + std::to_string(line.size()) + " bytes; " +
                                       std::to_string(options.max_line_bytes) + " are allowed");
  if (auto done = reader.read(line, fields); !done) return tl::unexpected{std::move(done.error())};
  return interpret(fields, context.rules, event, control);
}

// The last of its checks, then the event is part of the chunk.
expected<void> line_parser::implementation::accept(const line_event& event, std::string_view line) {
  auto interval = interval_index(event.interval);
  if (!interval) return tl::unexpected{interval.error()};
  auto slot = find_or_add(event);
  if (!slot) return tl::unexpected{slot.error()};
  auto row = event.row;
  row.key = (*slot)->key;
  row.interval = *interval;
  if (!event.resume.empty()) {
    resume_token = event.resume;
    last_resume = {};
  }
  append(row, (*slot)->partition);
  if (options.keep_lines) keep(line, (*slot)->partition);
  return {};
}

expected<void> line_parser::implementation::accept(control_line control) {
  if (control.pace) {
    chunk->paces.push_back(*control.pace);
    return {};
  }
  auto& provider = control.event.provider;
  if (!control_providers.contains(provider)) {
    if (control_providers.size() >= most_control_providers)
      return fail(errc::overloaded, "provider: \"" + excerpt(provider) + "\" would be one more than the " +
                                      std::to_string(most_control_providers) + " a feed may speak for");
    control_providers.insert(provider);
  }
  chunk->controls.push_back(std::move(control));
  return {};
}

expected<const series_table::slot*> line_parser::implementation::find_or_add(const line_event& event) {
  if (auto slot = series.find(event.provider, event.symbol)) return slot;
  if (series.size() >= options.max_keys)
    return fail(errc::overloaded, "symbol: \"" + std::string{event.symbol} + "\" would be one more than the " +
                                    std::to_string(options.max_keys) + " series a feed may have");
  auto slot = series.add(event.provider, event.symbol, partition_of(event.symbol, options.partitions));
  context.feed_provider_id = series.find_provider(options.feed);
  return slot;
}

expected<std::uint8_t> line_parser::implementation::interval_index(std::string_view interval) {
  auto& all = context.intervals;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i] == interval) return static_cast<std::uint8_t>(i);
  if (all.size() >= max_intervals)
    return fail(errc::overloaded,
                "interval: \"" + std::string{interval} + "\" would be the 256th of one chunk of lines");
  all.emplace_back(interval);
  return static_cast<std::uint8_t>(all.size() - 1);
}

void line_parser::implementation::append(const event_row& row, std::uint32_t partition) {
  auto& batch = chunk->batches[partition];
  (batch != nullptr ? *batch : start_batch(partition)).rows.push_back(row);
  ++chunk->events;
  last_src_ts = row.src_ts;
  last_seq = row.seq;
}

void line_parser::implementation::keep(std::string_view line, std::uint32_t partition) {
  auto& lines = chunk->lines_of_events[partition];
  if (lines == nullptr) lines = std::make_shared<raw_lines>();
  lines->add(line);
}

// Room for as many rows as the last chunk would have had at this size, and an eighth more.
event_batch& line_parser::implementation::start_batch(std::uint32_t partition) {
  auto& batch = chunk->batches[partition];
  batch = std::make_shared<event_batch>();
  batch->feed = options.feed;
  batch->ingest_ts = ingest_ts;
  auto expected_rows = bytes_last_chunk == 0
                         ? static_cast<double>(chunk_bytes / typical_line_bytes / options.partitions)
                         : static_cast<double>(rows_last_chunk[partition]) * static_cast<double>(chunk_bytes) /
                             static_cast<double>(bytes_last_chunk);
  auto most = static_cast<double>(chunk_bytes / smallest_line_bytes + 1);
  batch->rows.reserve(static_cast<std::size_t>(std::min(expected_rows * 1.125 + 8, most)));
  return *batch;
}

// What all batches of the chunk share, and where the feed is to go on.
void line_parser::implementation::finish() {
  if (!last_resume.empty()) resume_token = last_resume;
  last_resume = {};
  if (chunk->events == 0) return;
  auto keys = series.publish();
  for (std::size_t i = 0; i < chunk->batches.size(); ++i) {
    auto& batch = chunk->batches[i];
    rows_last_chunk[i] = batch != nullptr ? batch->rows.size() : 0;
    if (batch == nullptr) continue;
    batch->keys = keys;
    if (context.intervals.size() > 1) batch->intervals = context.intervals;
  }
  bytes_last_chunk = chunk_bytes;
  chunk->has_resume = true;
  chunk->resume = {resume_token, last_src_ts, last_seq};
}

dead_letter line_parser::implementation::bury(failure why, std::string_view bytes, std::uint64_t byte_offset) const {
  dead_letter out;
  out.feed = options.feed;
  out.seen_ts = ingest_ts;
  out.code = why.code;
  out.reason = std::move(why.message);
  out.line_number = lines_seen;
  out.byte_offset = byte_offset;
  out.bytes = bytes.substr(0, options.max_dead_letter_bytes);
  out.stage = "ingestor";
  out.config_hash = options.config_hash;
  return out;
}

line_parser::line_parser(line_parser_options options) : self_{std::make_unique<implementation>(std::move(options))} {}
line_parser::~line_parser() = default;
line_parser::line_parser(line_parser&&) noexcept = default;

parsed_chunk line_parser::parse(std::string_view lines, timestamp ingest_ts) { return self_->parse(lines, ingest_ts); }

dead_letter line_parser::give_up_line(std::string_view first_bytes, std::uint64_t total_bytes, timestamp ingest_ts) {
  auto& self = *self_;
  ++self.lines_seen;
  self.ingest_ts = ingest_ts;
  auto why = failure{errc::line_too_long, "a line of " + std::to_string(total_bytes) + " bytes; " +
                                            std::to_string(self.options.max_line_bytes) + " are allowed"};
  auto out = self.bury(std::move(why), first_bytes, self.bytes_seen);
  self.bytes_seen += total_bytes;
  return out;
}

std::uint64_t line_parser::by_shape() const { return self_->by_shape; }
std::uint64_t line_parser::by_simdjson() const { return self_->by_simdjson; }

} // namespace finstream
