#include "runtime/store/letter_store.hpp"

#include "messages/codec/json.hpp"
#include "messages/codec/msgpack.hpp"
#include "messages/value/excerpt.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <set>
#include <tuple>

namespace finstream {

namespace {

constexpr topic topics[] = {topic::dead_letters, topic::rejected};
constexpr std::size_t read_bytes = 4u << 20;
constexpr std::uint64_t block_letters = 256; // looked at together, going back
constexpr std::size_t writes_at_once = 10'000;
constexpr const char* purged_table = "purged_letters";

// One topic and partition. In the table: "at/..." a letter that is purged, "until/..." all before it are.
struct lane {
  topic where;
  std::uint16_t partition;

  std::string place() const { return fmt::format("{}/{}", to_string(where), partition); }
  std::string until_key() const { return "until/" + place(); }
  std::string prefix() const { return "at/" + place() + "/"; }
  std::string key(std::uint64_t offset) const { return prefix() + fmt::format("{:016x}", offset); }
};

template <class Number> bool read_number(std::string_view text, Number& out, int base = 10) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && end == text.data() + text.size();
}

struct purged_letters {
  std::uint64_t until = 0;
  std::set<std::uint64_t> at; // not before `until`

  bool has(std::uint64_t offset) const { return offset < until || at.contains(offset); }
};

expected<purged_letters> purged_of(const bus& log, const lane& in) {
  purged_letters out;
  auto until = log.get(purged_table, in.until_key());
  if (!until) return tl::unexpected{until.error()};
  auto good = !*until || read_number(std::string_view{**until}, out.until);
  auto prefix = in.prefix(), end = prefix;
  ++end.back();
  auto scanned = log.scan(purged_table, prefix, end, [&](std::string_view key, std::string_view) {
    std::uint64_t offset = 0;
    good = good && read_number(key.substr(prefix.size()), offset, 16);
    if (offset >= out.until) out.at.insert(offset);
    return good;
  });
  if (!scanned) return tl::unexpected{scanned.error()};
  if (!good) return fail(errc::corrupt_record, "the list of dead letters that were purged cannot be read");
  return out;
}

// An earlier version left unsaid what its topic said: which stage; and the byte offset of a rejected event was the
// event's own.
void fill_in(topic where, dead_letter& x) {
  if (!x.stage.empty()) return;
  x.stage = where == topic::rejected ? "window" : "ingestor";
  if (where != topic::rejected) return;
  x.cause_topic = std::string{to_string(topic::events)};
  x.cause_offset = std::exchange(x.byte_offset, 0);
}

// Those that are not purged, until `visit` returns false; then it is false.
expected<bool> scan_lane(const bus& log, const lane& in, const std::function<bool(kept_letter)>& visit) {
  auto range = log.range(in.where, in.partition);
  if (!range) return tl::unexpected{range.error()};
  auto purged = purged_of(log, in);
  if (!purged) return tl::unexpected{purged.error()};
  for (auto offset = std::max(range->head, std::min(purged->until, range->next)); offset < range->next;) {
    auto records = log.read(in.where, in.partition, offset, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      offset = r.next();
      if (purged->has(r.offset)) continue;
      auto letter = read_letter(in.where, in.partition, r);
      if (!letter) return tl::unexpected{letter.error()};
      if (!visit(std::move(*letter))) return false;
    }
  }
  return true;
}

// Backwards, a block at a time, until there are enough. False: no more might be read.
expected<bool> add_newest(const bus& log, const lane& in, const letter_query& query, std::uint64_t limit,
                          std::size_t& bytes_left, std::vector<kept_letter>& out) {
  auto range = log.range(in.where, in.partition);
  auto purged = purged_of(log, in);
  if (!range || !purged) return tl::unexpected{range ? purged.error() : range.error()};
  auto first = std::max(range->head, std::min(purged->until, range->next));
  std::uint64_t found = 0;
  for (auto end = range->next; end > first && (limit == 0 || found < limit);) {
    if (bytes_left == 0) return false;
    auto begin = end - std::min(end - first, block_letters);
    for (auto offset = begin; offset < end;) {
      auto records = log.read(in.where, in.partition, offset, read_bytes);
      if (!records) return tl::unexpected{records.error()};
      if (records->empty()) break;
      for (auto& r : *records) {
        offset = r.next();
        if (r.offset >= end) break;
        bytes_left -= std::min(bytes_left, r.payload.size());
        if (purged->has(r.offset)) continue;
        auto letter = read_letter(in.where, in.partition, r);
        if (!letter) return tl::unexpected{letter.error()};
        if (!matches(query, letter->what)) continue;
        out.push_back(std::move(*letter));
        ++found;
      }
    }
    end = begin;
  }
  return true;
}

// Marks the letters, and where nothing before them is kept, moves the mark instead.
expected<void> purge_in(bus& log, const lane& in, const std::vector<std::uint64_t>& offsets) {
  auto known = purged_of(log, in);
  auto range = log.range(in.where, in.partition);
  if (!known || !range) return tl::unexpected{known ? range.error() : known.error()};
  transaction tx;
  auto flush = [&](std::size_t at_least) -> expected<void> {
    if (tx.writes.size() < at_least) return {};
    auto written = log.write(std::exchange(tx, {}));
    return written ? expected<void>{} : tl::unexpected{written.error()};
  };
  auto all = known->at;
  all.insert(offsets.begin(), offsets.end());
  auto until = std::max(known->until, range->head);
  while (all.contains(until)) ++until;
  for (auto offset : all) {
    if (offset < until && !known->at.contains(offset)) continue;
    auto gone = offset < until;
    if (gone != known->at.contains(offset)) continue;
    tx.writes.push_back({purged_table, in.key(offset), gone ? std::nullopt : std::optional<std::string>{""}});
    if (auto done = flush(writes_at_once); !done) return done;
  }
  tx.writes.push_back({purged_table, in.until_key(), std::to_string(until)});
  if (auto done = flush(1); !done) return done;
  if (in.where != topic::dead_letters) return {};
  auto trimmed = log.trim(in.where, in.partition, until);
  return trimmed ? expected<void>{} : tl::unexpected{trimmed.error()};
}

} // namespace

expected<kept_letter> read_letter(topic where, std::uint16_t partition, const record& from) {
  auto letter = dead_letter_from_msgpack(from.payload);
  if (!letter) return tl::unexpected{letter.error()};
  fill_in(where, *letter);
  return kept_letter{where, partition, from.offset, std::move(*letter)};
}

bool is_same_letter(topic where, std::string_view stored, std::string_view made) {
  if (stored == made) return true;
  auto before = dead_letter_from_msgpack(stored), now = dead_letter_from_msgpack(made);
  if (!before || !now || !before->stage.empty()) return false;
  fill_in(where, *before);
  before->config_hash = now->config_hash;
  return *before == *now;
}

std::string id_of(const kept_letter& x) { return fmt::format("{}/{}/{}", to_string(x.where), x.partition, x.offset); }

timestamp first_seen(const dead_letter& x) { return x.first_seen_ts.value_or(x.seen_ts); }

bool matches(const letter_query& query, const dead_letter& x) {
  return (query.feed.empty() || query.feed == x.feed) && (query.stage.empty() || query.stage == x.stage) &&
         (!query.code || *query.code == x.code) && x.seen_ts >= query.from &&
         (!query.before || x.seen_ts < *query.before);
}

expected<errc> parse_code(const std::string& name) {
  for (int i = 1; i <= 255; ++i)
    if (auto code = static_cast<errc>(i); !explain(code).empty() && to_string(code) == name) return code;
  return fail(errc::invalid_argument,
              "there is no code \"" + excerpt(name) + "\"; `finstream dlq stats` lists those of the letters there are");
}

expected<void> scan_letters(const bus& log, int partitions, const letter_query& query,
                            const std::function<bool(kept_letter)>& visit) {
  for (auto where : topics)
    for (int p = 0; p < partitions; ++p) {
      auto go_on = scan_lane(log, {where, static_cast<std::uint16_t>(p)},
                             [&](kept_letter x) { return !matches(query, x.what) || visit(std::move(x)); });
      if (!go_on) return tl::unexpected{go_on.error()};
      if (!*go_on) return {};
    }
  return {};
}

expected<newest_letters> find_newest_letters(const bus& log, int partitions, const letter_query& query,
                                             std::uint64_t limit, std::size_t most_bytes) {
  newest_letters out;
  for (auto where : topics)
    for (int p = 0; p < partitions; ++p) {
      auto complete = add_newest(log, {where, static_cast<std::uint16_t>(p)}, query, limit, most_bytes, out.letters);
      if (!complete) return tl::unexpected{complete.error()};
      out.is_complete = out.is_complete && *complete;
    }
  auto order = [](const kept_letter& x) { return std::tuple{x.what.seen_ts, x.where, x.partition, x.offset}; };
  std::sort(out.letters.begin(), out.letters.end(), [&](auto& a, auto& b) { return order(a) < order(b); });
  if (limit != 0 && out.letters.size() > limit)
    out.letters.erase(out.letters.begin(), out.letters.end() - static_cast<std::ptrdiff_t>(limit));
  return out;
}

expected<kept_letter> find_letter(const bus& log, const std::string& id) {
  auto first = id.find('/'), last = id.rfind('/');
  lane in{topic::dead_letters, 0};
  std::uint64_t offset = 0;
  auto good = first != std::string::npos && first != last &&
              read_number(std::string_view{id}.substr(first + 1, last - first - 1), in.partition) &&
              read_number(std::string_view{id}.substr(last + 1), offset);
  auto known = good ? std::find_if(std::begin(topics), std::end(topics),
                                   [&](auto x) { return to_string(x) == std::string_view{id}.substr(0, first); })
                    : std::end(topics);
  if (known == std::end(topics))
    return fail(errc::invalid_argument,
                "\"" + excerpt(id) +
                  "\" is no letter's id: those are TOPIC/PARTITION/OFFSET, such as dead_letters/0/17");
  in.where = *known;
  auto range = log.range(in.where, in.partition);
  auto purged = purged_of(log, in);
  if (!range || !purged) return tl::unexpected{range ? purged.error() : range.error()};
  if (offset >= range->next) return fail(errc::not_found, "there is no letter " + id);
  if (offset < range->head || purged->has(offset))
    return fail(errc::trimmed, "letter " + id + " is no longer kept: it was purged, or made room for others");
  auto records = log.read(in.where, in.partition, offset, 1);
  if (!records) return tl::unexpected{records.error()};
  if (records->empty()) return fail(errc::not_found, "there is no letter " + id);
  return read_letter(in.where, in.partition, records->front());
}

expected<std::uint64_t> purge_letters(bus& log, int partitions, const letter_query& query) {
  std::uint64_t purged = 0;
  for (auto where : topics)
    for (int p = 0; p < partitions; ++p) {
      lane in{where, static_cast<std::uint16_t>(p)};
      std::vector<std::uint64_t> offsets;
      auto scanned = scan_lane(log, in, [&](const kept_letter& x) {
        if (matches(query, x.what)) offsets.push_back(x.offset);
        return true;
      });
      if (!scanned) return tl::unexpected{scanned.error()};
      if (offsets.empty()) continue;
      if (auto done = purge_in(log, in, offsets); !done) return tl::unexpected{done.error()};
      purged += offsets.size();
    }
  return purged;
}

std::string printable(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes)
    out += c >= 0x20 && c < 0x7F && c != '\\' ? std::string(1, static_cast<char>(c)) : fmt::format("\\x{:02x}", c);
  return out;
}

void append_letter_json(std::string& out, const kept_letter& x) {
  auto& letter = x.what;
  auto text = [&](const char* name, std::string_view value) {
    out += fmt::format(",\"{}\":", name);
    append_json_string(out, value);
  };
  out += fmt::format(R"({{"id":"{}","code":{},"name":"{}","stage":)", id_of(x), static_cast<int>(letter.code),
                     to_string(letter.code));
  append_json_string(out, letter.stage);
  text("feed", letter.feed);
  text("reason", letter.reason);
  for (auto [name, time] : {std::pair{"first_seen", first_seen(letter)}, std::pair{"last_seen", letter.seen_ts}}) {
    out += fmt::format(",\"{}\":", name);
    append_json_timestamp(out, time);
  }
  out += fmt::format(R"(,"attempts":{},"config_hash":"{:016x}","topic":"{}","partition":{},"offset":{})",
                     letter.attempts, letter.config_hash, to_string(x.where), x.partition, x.offset);
  if (letter.cause_topic.empty() && letter.line_number != 0)
    out += fmt::format(R"(,"cause":null,"line_number":{},"byte_offset":{})", letter.line_number, letter.byte_offset);
  else if (letter.cause_topic.empty())
    out += R"(,"cause":null,"line_number":null,"byte_offset":null)";
  else
    out += fmt::format(R"(,"cause":"{}/{}/{}","line_number":null,"byte_offset":null)", letter.cause_topic, x.partition,
                       letter.cause_offset);
  text("bytes", printable(letter.bytes));
  out += '}';
}

} // namespace finstream
