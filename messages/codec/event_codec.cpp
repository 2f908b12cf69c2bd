#include "messages/codec/event_codec.hpp"

#include "messages/value/bytes.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace finstream {

namespace {

constexpr unsigned format_version = 1;
constexpr std::size_t slots = 7; // src_ts, seq, and the five values
constexpr std::size_t least_row_bytes = 3;
constexpr std::size_t most_row_bytes = 5 + 2 + slots * 10;
// A feed's names are far shorter (messages/codec/line_event.hpp). Without a limit a few bytes, each a name that repeats
// a long provider, could ask for any amount of memory.
constexpr std::size_t most_name_bytes = 255;

constexpr std::size_t values_of(event_kind kind) {
  switch (kind) {
  case event_kind::tick: return 2;
  case event_kind::bar: return 5;
  case event_kind::quote: return 4;
  }
  return 5;
}

// Division by 10^k of numbers that 10^k divides: a shift by k and a product with the inverse of 5^k modulo 2^64.
struct power {
  std::int64_t value = 1;
  std::uint64_t inverse_of_five = 1;
};
constexpr std::array<power, 10> powers = [] {
  std::array<power, 10> out{};
  std::uint64_t five = 1;
  std::int64_t ten = 1;
  for (auto& p : out) {
    std::uint64_t inverse = five; // Newton: each step doubles the bits that are right
    for (int i = 0; i < 6; ++i) inverse *= 2 - five * inverse;
    p = {ten, inverse};
    five *= 5;
    ten *= 10;
  }
  return out;
}();

std::int64_t quotient(std::int64_t x, unsigned k) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(x >> k) * powers[k].inverse_of_five);
}
bool divides(unsigned k, std::int64_t x) {
  if ((x & ((std::int64_t{1} << k) - 1)) != 0) return false;
  auto q = quotient(x, k), bound = std::numeric_limits<std::int64_t>::max() / powers[k].value;
  return q <= bound && q >= -bound;
}

using row_slots = std::array<std::int64_t, slots>;

row_slots slots_of(const event_row& row) {
  return {row.src_ts.ns, row.seq, row.values[0], row.values[1], row.values[2], row.values[3], row.values[4]};
}

// The largest power of ten that divides every number of a slot: prices in cents then cost a byte or two.
std::array<unsigned, slots> common_scales(const std::vector<event_row>& rows) {
  std::array<unsigned, slots> scale;
  scale.fill(9);
  scale[1] = 0; // sequence numbers are dense
  for (auto& row : rows) {
    auto xs = slots_of(row);
    for (std::size_t i = 0; i < slots; ++i)
      while (scale[i] != 0 && !divides(scale[i], xs[i])) --scale[i];
  }
  return scale;
}

// Which of the feed's names this batch uses: renumbered from 0 in order of first use.
struct local_keys {
  std::vector<std::uint32_t> local_of; // by the feed's number; valid where stamp_of says so
  std::vector<std::uint32_t> stamp_of;
  std::vector<std::uint32_t> used;
  std::uint32_t stamp = 0;

  void start(std::size_t keys) {
    if (local_of.size() < keys) local_of.resize(keys), stamp_of.resize(keys, stamp);
    used.clear();
    if (++stamp == 0) std::fill(stamp_of.begin(), stamp_of.end(), 0u), stamp = 1;
  }
  std::uint32_t find(std::uint32_t key) {
    if (stamp_of[key] != stamp) {
      stamp_of[key] = stamp;
      local_of[key] = static_cast<std::uint32_t>(used.size());
      used.push_back(key);
    }
    return local_of[key];
  }
};

} // namespace

std::string encode_events(const event_batch& batch) {
  static thread_local local_keys keys;
  static thread_local std::vector<row_slots> previous;
  keys.start(batch.keys->size());
  for (auto& row : batch.rows) keys.find(row.key);

  std::string out;
  byte_writer head{out};
  head.number(format_version);
  head.text(batch.feed);
  head.signed_number(batch.ingest_ts.ns);
  head.number(keys.used.size());
  const std::string* provider = nullptr;
  for (auto key : keys.used) {
    auto& name = (*batch.keys)[key];
    auto same = provider != nullptr && *provider == name.provider;
    head.text(same ? std::string_view{} : std::string_view{name.provider});
    head.text(name.symbol);
    provider = &name.provider;
  }
  head.number(batch.intervals.size());
  for (auto& interval : batch.intervals) head.text(interval);
  auto scale = common_scales(batch.rows);
  for (auto k : scale) head.number(k);
  head.number(batch.rows.size());

  // Each number is written as its difference from that of the previous row of the same key; the time, which all keys
  // share, from the previous row.
  previous.assign(keys.used.size(), row_slots{});
  std::int64_t previous_time = 0;
  auto head_bytes = out.size();
  out.resize(head_bytes + batch.rows.size() * most_row_bytes);
  auto* at = out.data() + head_bytes;
  for (auto& row : batch.rows) {
    auto key = keys.local_of[row.key];
    auto& last = previous[key];
    at = write_varint(at, (std::uint64_t{key} << 2) | static_cast<std::uint64_t>(row.kind));
    if (row.kind == event_kind::bar) at = write_varint(at, row.interval);
    auto xs = slots_of(row);
    auto write = [&](std::size_t i, std::int64_t& from) {
      auto q = quotient(xs[i], scale[i]);
      at = write_varint(
        at, zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(q) - static_cast<std::uint64_t>(from))));
      from = q;
    };
    write(0, previous_time);
    for (std::size_t i = 1; i < 2 + values_of(row.kind); ++i) write(i, last[i]);
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
  return out;
}

expected<std::shared_ptr<event_batch>> decode_events(std::string_view bytes) {
  auto bad = [](const char* why) {
    return fail(errc::corrupt_record, std::string{"a record of events cannot be read: "} + why);
  };
  byte_reader in{bytes};
  if (in.number() != format_version) return bad("unknown format version");
  auto out = std::make_shared<event_batch>();
  out->feed = in.text();
  out->ingest_ts.ns = in.signed_number();
  auto names = std::make_shared<std::vector<series_key>>();
  auto name_count = in.count(2);
  names->reserve(name_count);
  while (names->size() < name_count) {
    std::string_view provider = in.text(), symbol = in.text();
    if (!in.good()) return bad("its names are cut");
    if (provider.size() > most_name_bytes) return bad("a name is too long");
    auto same = provider.empty() && !names->empty();
    names->push_back({same ? names->back().provider : std::string{provider}, std::string{symbol}});
  }
  auto interval_count = in.count(1);
  out->intervals.clear();
  for (std::uint64_t i = 0; i < interval_count; ++i) out->intervals.emplace_back(in.text());
  std::array<unsigned, slots> scale{};
  for (auto& k : scale) k = static_cast<unsigned>(std::min<std::uint64_t>(in.number(), 9));
  auto row_count = in.count(least_row_bytes);
  if (!in.good() || interval_count == 0 || interval_count > 256) return bad("its head is cut");

  std::vector<row_slots> previous(names->size());
  std::int64_t previous_time = 0;
  out->rows.resize(row_count);
  for (auto& row : out->rows) {
    auto head = in.number();
    auto key = head >> 2;
    if (key >= names->size() || (head & 3) > 2) return bad("a row names what is not there");
    row.key = static_cast<std::uint32_t>(key);
    row.kind = static_cast<event_kind>(head & 3);
    if (row.kind == event_kind::bar) row.interval = static_cast<std::uint8_t>(in.number());
    if (row.interval >= interval_count) return bad("a row names what is not there");
    auto read = [&](std::size_t i, std::int64_t& from) {
      auto q = static_cast<std::uint64_t>(from) + static_cast<std::uint64_t>(in.signed_number());
      from = static_cast<std::int64_t>(q);
      return static_cast<std::int64_t>(q * static_cast<std::uint64_t>(powers[scale[i]].value));
    };
    auto& last = previous[key];
    row.src_ts.ns = read(0, previous_time);
    row.seq = read(1, last[1]);
    for (std::size_t i = 0; i < values_of(row.kind); ++i) row.values[i] = read(2 + i, last[2 + i]);
  }
  if (!in.done()) return bad("its rows are cut, or bytes follow them");
  out->keys = std::move(names);
  return out;
}

} // namespace finstream
