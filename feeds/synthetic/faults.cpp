#include "feeds/synthetic/faults.hpp"

#include <cmath>
#include <cstring>

namespace finstream::feed {

namespace {

// Purposes of random_bits(); 1 and 2 are the walk's.
enum purpose : std::uint64_t {
  is_late = 3,
  how_late = 4,
  is_repeated = 5,
  which_repeated = 6,
  is_broken = 7,
  how_broken = 8,
  is_oversize = 9
};

constexpr std::uint32_t oversize_bytes = 70'000; // over the 64 KiB that a node takes
constexpr std::uint64_t ways_to_break = 6;

char* find(char* from, char* end, std::string_view what) {
  return static_cast<char*>(memmem(from, static_cast<std::size_t>(end - from), what.data(), what.size()));
}

} // namespace

bool faults::falls(std::uint64_t number, std::uint64_t purpose, double share) const {
  if (share <= 0) return false;
  // 53 bits, as many as a double holds exactly.
  return static_cast<double>(random_bits(options_.seed, number, purpose) >> 11) < std::ldexp(share, 53);
}

nanoseconds faults::lateness(std::uint64_t number) const {
  if (!falls(number, is_late, options_.late_share)) return 0;
  auto range = static_cast<std::uint64_t>(options_.late_ms);
  return static_cast<nanoseconds>(1 + random_bits(options_.seed, number, how_late) % range) * millisecond;
}

void faults::remember(const trade& x, timestamp src_ts) { recent_[x.number % recent_.size()] = {x, src_ts}; }

void faults::write_before(const trade& x, timestamp src_ts, event_lines& lines, line_writer& out) const {
  if (falls(x.number, is_repeated, options_.duplicate_share)) {
    auto back = 1 + random_bits(options_.seed, x.number, which_repeated) % recent_.size();
    auto& earlier = recent_[(x.number - back) % recent_.size()];
    // By the wall clock, what was sent before a restart had times that nobody knows any more.
    if (back < x.number && earlier.event.number == x.number - back)
      out.end_line(lines.write(out.room(lines.max_bytes()), earlier.event, earlier.src_ts));
  }
  if (falls(x.number, is_broken, options_.malformed_share)) write_broken(x, src_ts, lines, out);
  if (falls(x.number, is_oversize, options_.oversize_share))
    out.end_line(lines.write(out.room(lines.max_bytes() + oversize_bytes), x, src_ts, oversize_bytes));
}

void faults::write_broken(const trade& x, timestamp src_ts, event_lines& lines, line_writer& out) const {
  auto start = out.room(lines.max_bytes() + 16);
  auto end = lines.write(start, x, src_ts) - 1; // without the newline
  switch (random_bits(options_.seed, x.number, how_broken) % ways_to_break) {
  case 0: // cut short
    end = start + (end - start) / 2;
    break;
  case 1: // not UTF-8
    *(find(start, end, "\"symbol\":\"") + 10) = '\xFF';
    break;
  case 2: // no price
    std::memcpy(find(start, end, "\"price\":"), "\"prize\":", 8);
    break;
  case 3: { // text for the price
    constexpr std::string_view text = "\"cheap\"";
    auto price = find(start, end, "\"price\":") + 8;
    auto rest = find(price, end, ",\"size\":");
    std::memmove(price + text.size(), rest, static_cast<std::size_t>(end - rest));
    std::memcpy(price, text.data(), text.size());
    end += static_cast<std::ptrdiff_t>(text.size()) - (rest - price);
    break;
  }
  case 4: // no such month
    std::memcpy(find(start, end, "\"src_ts\":\"") + 15, "13", 2);
    break;
  default: // not an object
    end = start + 7;
    std::memcpy(start, "[1,2,3]", 7);
  }
  *end++ = '\n';
  out.end_line(end);
}

} // namespace finstream::feed
