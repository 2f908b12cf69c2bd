// What reading a feed's lines costs: by the learned shape, by simdjson, and by a parser written for this one line and
// no other, which is the floor. All three go over the same lines and make the same rows.
#include "messages/codec/line_parser.hpp"
#include "messages/value/words.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

namespace {

using namespace finstream;

constexpr std::size_t line_count = 50'000;
constexpr std::size_t chunk_bytes = 256 * 1024; // as the runtime reads
constexpr double seconds_a_case = 1.0;
constexpr unsigned symbol_count = 100;
constexpr timestamp read_at{1'795'252'200'000'000'000 + 3600 * second};

// A fixed walk: the same lines on every run. `steps` is a linear congruence, good enough for prices.
std::vector<std::string> make_chunks() {
  std::vector<std::string> chunks(1);
  std::uint64_t steps = 42;
  auto next = [&](std::uint64_t below) {
    steps = steps * 6364136223846793005 + 1442695040888963407;
    return (steps >> 33) % below;
  };
  auto when = timestamp{1'795'252'200'123'456'789};
  std::int64_t cents = 42'515;
  for (std::size_t i = 0; i < line_count; ++i) {
    when = when + static_cast<nanoseconds>(1'000 + next(2'000'000));
    if (when.ns % 1'000 == 0) when = when + 1; // always nine digits of fraction, which the floor counts on
    cents += static_cast<std::int64_t>(next(21)) - 10;
    char line[256];
    auto seq = 18'300'001 + i;
    auto size =
      std::snprintf(line, sizeof(line),
                    R"({"ver":1,"provider":"synthetic","symbol":"SYM%03u","kind":"tick","src_ts":"%s",)"
                    R"("price":%s,"size":%u,"seq":%zu,"resume":"%zu"})"
                    "\n",
                    static_cast<unsigned>(next(symbol_count)), to_string(when).c_str(),
                    to_string(decimal{cents * 10'000'000}).c_str(), static_cast<unsigned>(1 + next(5'000)), seq, seq);
    if (chunks.back().size() + static_cast<std::size_t>(size) > chunk_bytes) chunks.emplace_back();
    chunks.back().append(line, static_cast<std::size_t>(size));
  }
  for (auto& chunk : chunks) chunk.reserve(chunk.size() + 64); // what is read beyond the end is ours
  return chunks;
}

// The floor. It checks every character as well, and knows nothing that the lines do not say.
struct floor_parser {
  struct series {
    std::uint64_t symbol = 0;
    std::uint32_t key = 0;
  };
  std::vector<series> table = std::vector<series>(1024);
  std::uint32_t keys = 0;
  char minute[17] = {};
  std::int64_t minute_start = 0;

  template <std::size_t N> static bool take(const char*& p, const char (&literal)[N]) {
    bool same = std::memcmp(p, literal, N - 1) == 0;
    p += N - 1;
    return same;
  }
  static bool take_number(const char*& p, std::uint64_t& value) {
    auto word = load_word(p);
    auto count = leading_digits(word);
    if (count == 0) return false;
    value = digits_value(word, count);
    p += count;
    for (; is_digit(*p); ++p) value = value * 10 + static_cast<unsigned>(*p - '0');
    return true;
  }

  std::uint32_t key_of(std::uint64_t symbol) {
    auto i = (symbol * 0x9E3779B97F4A7C15) >> 54;
    while (table[i].symbol != symbol && table[i].symbol != 0) i = (i + 1) % table.size();
    if (table[i].symbol == 0) table[i] = {symbol, keys++};
    return table[i].key;
  }

  bool read(const char*& p, event_row& row) {
    std::uint64_t whole = 0, fraction = 0, number = 0;
    if (!take(p, R"({"ver":1,"provider":"synthetic","symbol":")")) return false;
    auto word = load_word(p);
    auto count = plain_characters(word);
    if (count == 8) return false;
    row.key = key_of(word & ((std::uint64_t{1} << (count * 8)) - 1));
    p += count;
    if (!take(p, R"(","kind":"tick","src_ts":")")) return false;
    if (std::memcmp(p, minute, sizeof(minute)) != 0) {
      auto time = parse_timestamp({p, 30});
      if (!time) return false;
      std::memcpy(minute, p, sizeof(minute));
      minute_start = floor_to(*time, 60 * second).ns;
    }
    auto seconds = (p[17] - '0') * 10 + (p[18] - '0');
    auto nanos = digits_value(load_word(p + 20), 8) * 10 + static_cast<unsigned>(p[28] - '0');
    row.src_ts = {minute_start + seconds * second + static_cast<std::int64_t>(nanos)};
    p += 29;
    if (!take(p, R"(Z","price":)") || !take_number(p, whole)) return false;
    if (*p == '.') {
      auto start = ++p;
      if (!take_number(p, fraction)) return false;
      fraction *= powers_of_ten[static_cast<std::size_t>(9 - (p - start))];
    }
    row.values[0] = static_cast<std::int64_t>(whole * static_cast<std::uint64_t>(units_per_one) + fraction);
    if (!take(p, R"(,"size":)") || !take_number(p, number)) return false;
    row.values[1] = static_cast<std::int64_t>(number) * units_per_one;
    if (!take(p, R"(,"seq":)") || !take_number(p, number)) return false;
    row.seq = static_cast<std::int64_t>(number);
    if (!take(p, R"(,"resume":")") || !take_number(p, number)) return false;
    return take(p, "\"}\n");
  }

  std::uint64_t parse(const std::string& lines) {
    event_batch batch;
    batch.rows.reserve(lines.size() / 100);
    auto end = lines.data() + lines.size();
    for (auto p = lines.data(); p != end;) {
      event_row row;
      if (!read(p, row)) std::abort();
      batch.rows.push_back(row);
    }
    return batch.rows.size();
  }
};

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// The best of the rounds that fit into the time: what disturbed the others is not the parser's.
template <class F> double nanoseconds_an_event(const std::vector<std::string>& chunks, F&& parse) {
  for (const auto& chunk : chunks) parse(chunk); // the first round warms up and learns
  double best = 1e9;
  for (auto start = cpu_seconds(); cpu_seconds() - start < seconds_a_case;) {
    std::uint64_t events = 0;
    auto before = cpu_seconds();
    for (const auto& chunk : chunks) events += parse(chunk);
    if (events != line_count) std::abort();
    best = std::min(best, (cpu_seconds() - before) * 1e9 / static_cast<double>(events));
  }
  return best;
}

void report(const char* name, double ns, double floor_ns, double bytes_per_line) {
  std::printf(
    R"({"name":"%s","ns_per_event":%.1f,"events_per_cpu_second":%.0f,"floor_ratio":%.2f,"bytes_per_line":%.0f})"
    "\n",
    name, ns, 1e9 / ns, ns / floor_ns, bytes_per_line);
}

double parse_all(const std::vector<std::string>& chunks, bool shape_cache) {
  line_parser_options options;
  options.feed = "synthetic";
  options.shape_cache = shape_cache;
  line_parser parser{options};
  auto ns = nanoseconds_an_event(chunks, [&](const std::string& chunk) { return parser.parse(chunk, read_at).events; });
  if (shape_cache && parser.by_shape() < parser.by_simdjson()) std::abort(); // not what is to be measured
  return ns;
}

} // namespace

int main() {
  auto chunks = make_chunks();
  double bytes = 0;
  for (const auto& chunk : chunks) bytes += static_cast<double>(chunk.size());
  bytes /= line_count;
  floor_parser floor;
  auto floor_ns = nanoseconds_an_event(chunks, [&](const std::string& chunk) { return floor.parse(chunk); });
  report("parse_floor", floor_ns, floor_ns, bytes);
  report("parse_shape", parse_all(chunks, true), floor_ns, bytes);
  report("parse_simdjson", parse_all(chunks, false), floor_ns, bytes);
}
