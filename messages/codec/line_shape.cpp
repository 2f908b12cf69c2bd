#include "messages/codec/line_shape.hpp"

#include "messages/codec/plain_values.hpp"

#include <algorithm>

namespace finstream {

namespace {

constexpr std::size_t max_steps = 64;
constexpr std::size_t max_literal_bytes = 1024;
constexpr std::size_t minute_size = 17; // of "2026-11-21T14:02:"
constexpr std::size_t max_time_characters = 40;

// A time of another minute, or written in another way. If it is in UTC, its minute is the one to remember.
const char* read_any_time(const char* p, shape_context& context, timestamp& time) {
  auto end = plain_end(p);
  auto text = std::string_view{p, static_cast<std::size_t>(end - p)};
  if (text.size() > max_time_characters) return nullptr;
  auto parsed = parse_timestamp(text);
  if (!parsed) return nullptr;
  time = *parsed;
  if (text.back() == 'Z') {
    std::copy_n(p, minute_size, context.minute.begin());
    context.minute_start = floor_to(time, 60 * second);
  }
  return end;
}

inline const char* read_time(const char* p, shape_context& context, timestamp& time) {
  auto minute = context.minute.data();
  auto differences = (load_word(p) ^ load_word(minute)) | (load_word(p + 8) ^ load_word(minute + 8));
  auto tens = static_cast<unsigned>(p[17] - '0'), ones = static_cast<unsigned>(p[18] - '0');
  if (differences != 0 || p[16] != minute[16] || tens > 5 || ones > 9) return read_any_time(p, context, time);
  auto ns = context.minute_start.ns + (tens * 10 + ones) * second;
  p += 19;
  if (*p == '.') {
    auto word = load_word(++p);
    auto count = leading_digits(word);
    if (count == 0) return nullptr;
    auto fraction = digits_value(word, count);
    p += count;
    if (count == 8 && is_digit(*p)) fraction = fraction * 10 + static_cast<unsigned>(*p++ - '0'), ++count;
    ns += static_cast<std::int64_t>(fraction * powers_of_ten[9 - count]);
  }
  if (*p != 'Z') return nullptr;
  time = {ns};
  return p + 1;
}

std::uint64_t mask_of(std::size_t bytes) {
  return bytes >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (bytes * 8)) - 1;
}

literal make_literal(std::string_view text, std::vector<std::uint64_t>& rest) {
  literal out;
  out.size = static_cast<std::uint32_t>(text.size());
  out.rest = static_cast<std::uint32_t>(rest.size());
  for (std::size_t i = 0; i < out.words.size(); ++i) {
    auto part = text.substr(std::min(text.size(), i * 8));
    out.words[i] = first_word_of(part);
    out.masks[i] = mask_of(part.size());
  }
  for (auto i = literal::inline_bytes; i < text.size(); i += 8) rest.push_back(first_word_of(text.substr(i)));
  return out;
}

// The words after the first two, one by one: nothing is read beyond the word in which a newline stands.
inline bool rest_is(const char* p, const literal& wanted, const std::uint64_t* rest) {
  auto word = rest + wanted.rest;
  auto left = static_cast<std::size_t>(wanted.size) - literal::inline_bytes;
  for (p += literal::inline_bytes; left >= 8; left -= 8, p += 8)
    if (load_word(p) != *word++) return false;
  return left == 0 || ((load_word(p) ^ *word) << (64 - 8 * left)) == 0;
}

inline bool starts_with(const char* p, const literal& wanted, const std::uint64_t* rest) {
  auto differences =
    ((load_word(p) ^ wanted.words[0]) & wanted.masks[0]) | ((load_word(p + 8) ^ wanted.words[1]) & wanted.masks[1]);
  return differences == 0 && (wanted.size <= literal::inline_bytes || rest_is(p, wanted, rest));
}

const char* read_other_provider(const char* p, shape_context& context) {
  auto end = plain_end(p);
  if (*end != '"') return nullptr;
  auto id = context.series.find_provider({p, static_cast<std::size_t>(end - p)});
  if (id == series_table::no_provider) return nullptr;
  context.last_provider_rest.clear();
  context.last_provider = make_literal({p, static_cast<std::size_t>(end + 1 - p)}, context.last_provider_rest);
  context.last_provider_id = id;
  return end;
}

inline const char* read_provider(const char* p, shape_context& context) {
  if (context.last_provider_id != series_table::no_provider &&
      starts_with(p, context.last_provider, context.last_provider_rest.data()))
    return p + context.last_provider.size - 1;
  return read_other_provider(p, context);
}

const char* read_interval(const char* p, shape_context& context, std::uint8_t& index) {
  auto end = plain_end(p);
  auto text = std::string_view{p, static_cast<std::size_t>(end - p)};
  auto found = std::find(context.intervals.begin(), context.intervals.end(), text);
  if (found == context.intervals.end()) return nullptr;
  index = static_cast<std::uint8_t>(found - context.intervals.begin());
  return end;
}

// The symbol's first word is made while its end is looked for.
struct symbol_text {
  std::uint64_t first_word = 0;
  std::string_view text;
};

inline const char* read_symbol(const char* p, symbol_text& out) {
  auto word = load_word(p);
  auto count = plain_characters(word);
  auto end = count < 8 ? p + count : plain_end(p + 8);
  out.first_word = count < 8 ? word & ((std::uint64_t{1} << (count * 8)) - 1) : word;
  out.text = {p, static_cast<std::size_t>(end - p)};
  return end;
}

bool is_consistent_bar(const event_row& row) {
  const auto& [open, high, low, close, volume] = row.values;
  return low <= open && low <= close && high >= open && high >= close;
}

} // namespace

const char* line_shape::read(const char* p, shape_context& context, shaped_line& out) const {
  auto& row = out.row;
  row = {};
  row.kind = kind_;
  out.resume = {};
  symbol_text symbol;
  auto provider = context.feed_provider_id;
  std::int64_t ignored = 0;
  for (const auto& part : steps_) {
    if (!starts_with(p, part.before, rest_.data())) return nullptr;
    p += part.before.size;
    auto start = p;
    switch (part.then) {
    case action::end: {
      auto slot = context.series.find(provider, symbol.first_word, symbol.text);
      if (slot == nullptr || row.src_ts > context.rules.latest) return nullptr;
      if (kind_ == event_kind::bar && !is_consistent_bar(row)) return nullptr;
      row.key = slot->key;
      out.partition = slot->partition;
      return p;
    }
    case action::provider:
      p = read_provider(p, context);
      provider = context.last_provider_id;
      break;
    case action::symbol: p = read_symbol(p, symbol); break;
    case action::src_ts: p = read_time(p, context, row.src_ts); break;
    case action::seq: p = read_integer(p, row.seq); break;
    case action::amount:
      if (*p == '-') return nullptr;
      [[fallthrough]];
    case action::price: p = read_decimal(p, row.values[part.slot], context.rules.rounding_mode); break;
    case action::resume_string:
      p = plain_end(p);
      out.resume = {start, static_cast<std::size_t>(p - start)};
      if (out.resume.size() > max_resume_bytes) return nullptr;
      break;
    case action::resume_integer:
      p = read_integer(p, ignored);
      if (p != nullptr) out.resume = {start, static_cast<std::size_t>(p - start)};
      break;
    case action::interval: p = read_interval(p, context, row.interval); break;
    case action::skip_string: p = plain_end(p); break;
    case action::skip_number: p = skip_number(p); break;
    case action::skip_word: p = skip_word(p); break;
    }
    if (p == nullptr) return nullptr;
  }
  return nullptr; // every shape has its end
}

// Walks over a line that is known to be one JSON object, and gives up at the first thing that is not plain.
class shape_learner {
public:
  shape_learner(std::string_view line, event_kind kind) : line_{line} { shape_.kind_ = kind; }

  std::optional<line_shape> learn() {
    skip_space();
    if (line_[at_++] != '{') return std::nullopt;
    do {
      if (shape_.steps_.size() >= max_steps || !take_member()) return std::nullopt;
      skip_space();
    } while (at_ < line_.size() && line_[at_++] == ',');
    at_ = line_.size();
    if (!add(action::end, 0, line_.size())) return std::nullopt;
    return std::move(shape_);
  }

private:
  using action = line_shape::action;

  void skip_space() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r')) ++at_;
  }

  // A plain string with its quotes; empty if it is not plain.
  std::string_view take_string() {
    auto start = at_ + 1, i = start;
    while (i < line_.size() && line_[i] >= ' ' && line_[i] != '"' && line_[i] != '\\' && line_[i] != 0x7F) ++i;
    if (i >= line_.size() || line_[i] != '"') return {};
    at_ = i + 1;
    return line_.substr(start - 1, at_ - start + 1);
  }

  bool take_member() {
    skip_space();
    auto key = take_string();
    if (key.empty()) return false;
    auto field = field_named(key.substr(1, key.size() - 2));
    if (field != line_field::unknown) {
      auto& seen = seen_[static_cast<std::size_t>(field)];
      if (std::exchange(seen, true)) return false;
    }
    skip_space();
    ++at_; // the colon
    skip_space();
    auto start = at_;
    char first = line_[at_];
    if (first == '"') {
      if (take_string().empty()) return false;
      return add_value(field, value_form::string, start + 1, at_ - 1);
    }
    if (first == '{' || first == '[') return false;
    auto end = line_.find_first_of(",} \t\r\n", at_);
    at_ = end == std::string_view::npos ? line_.size() : end;
    auto form = first == 'n'                   ? value_form::null
                : first == 't' || first == 'f' ? value_form::boolean
                                               : value_form::number;
    return add_value(field, form, start, at_);
  }

  // What is the same on every line of the shape stays among its literal characters: no step.
  bool add_value(line_field field, value_form form, std::size_t start, std::size_t end) {
    using enum line_field;
    bool word = form == value_form::null || form == value_form::boolean;
    if (field == ver || field == type || field == kind || (word && field != unknown)) return true;
    auto wanted = word ? action::skip_word : form == value_form::number ? action::skip_number : action::skip_string;
    std::uint8_t slot = 0;
    if (field == provider)
      wanted = action::provider;
    else if (field == symbol)
      wanted = action::symbol;
    else if (field == src_ts)
      wanted = action::src_ts;
    else if (field == seq)
      wanted = action::seq;
    else if (field == resume)
      wanted = form == value_form::string ? action::resume_string : action::resume_integer;
    else if (field == interval && shape_.kind_ == event_kind::bar)
      wanted = action::interval;
    else if (auto place = slot_of(field)) {
      slot = *place;
      bool counts = field == size || field == volume || field == bid_size || field == ask_size;
      wanted = counts ? action::amount : action::price;
    }
    return add(wanted, slot, start, end);
  }

  // Where a value of this field goes in a row of the shape's kind.
  std::optional<std::uint8_t> slot_of(line_field field) const {
    using enum line_field;
    static constexpr std::array<line_field, 5> tick{price, size, unknown, unknown, unknown};
    static constexpr std::array<line_field, 5> bar{open, high, low, close, volume};
    static constexpr std::array<line_field, 5> quote{bid, ask, bid_size, ask_size, unknown};
    const auto& places = shape_.kind_ == event_kind::tick ? tick : shape_.kind_ == event_kind::bar ? bar : quote;
    auto found = std::find(places.begin(), places.end(), field);
    if (field == unknown || found == places.end()) return std::nullopt;
    return static_cast<std::uint8_t>(found - places.begin());
  }

  // A step: the literal characters up to `start`, then the value up to `end`.
  bool add(action then, std::uint8_t slot, std::size_t start, std::size_t end = 0) {
    auto text = line_.substr(literal_start_, start - literal_start_);
    if (text.size() > max_literal_bytes) return false;
    literal_start_ = end;
    shape_.steps_.push_back({make_literal(text, shape_.rest_), then, slot});
    return true;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  std::size_t literal_start_ = 0;
  std::array<bool, line_field_count> seen_{};
  line_shape shape_;
};

std::optional<line_shape> line_shape::learn(std::string_view line, event_kind kind) {
  return shape_learner{line, kind}.learn();
}

const char* shape_cache::read(const char* p, shape_context& context, shaped_line& out) {
  for (auto shape = shapes_.begin(); shape != shapes_.end(); ++shape)
    if (auto end = shape->read(p, context, out)) {
      if (shape != shapes_.begin()) std::rotate(shapes_.begin(), shape, shape + 1);
      return end;
    }
  return nullptr;
}

void shape_cache::learn(std::string_view line, event_kind kind) {
  auto shape = line_shape::learn(line, kind);
  if (!shape || std::find(shapes_.begin(), shapes_.end(), *shape) != shapes_.end()) return;
  if (shapes_.size() == max_shapes) shapes_.pop_back();
  shapes_.insert(shapes_.begin(), std::move(*shape));
}

} // namespace finstream
