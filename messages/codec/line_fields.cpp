#include "messages/codec/line_fields.hpp"

#include "messages/value/excerpt.hpp"
#include "messages/value/words.hpp"

#include <algorithm>
#include <simdjson.h>
#include <string>

namespace finstream {

namespace ondemand = simdjson::ondemand;

static_assert(line_reader::padding >= simdjson::SIMDJSON_PADDING);

namespace {

constexpr std::array<std::string_view, line_field_count> names{
  "ver",      "type",   "provider", "symbol", "kind", "interval", "src_ts",   "seq",  "price",
  "size",     "o",      "h",        "l",      "c",    "v",        "bid",      "ask",  "bid_size",
  "ask_size", "resume", "resumed",  "from",   "to",   "reason",   "requests", "made", "wait_ms"};

static_assert(std::all_of(names.begin(), names.end(), [](auto name) { return name.size() <= sizeof(std::uint64_t); }));

// All names fit into one word. A multiplier that sends each to a place of its own is found by the compiler.
struct name_places {
  struct slot {
    std::uint64_t word = 0;
    line_field field = line_field::unknown;
  };
  std::uint64_t multiplier = 0x9E3779B97F4A7C15;
  std::array<slot, 128> slots{};

  constexpr std::size_t index(std::uint64_t word) const { return (word * multiplier) >> 57; }

  constexpr bool fill() {
    slots = {};
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::uint64_t word = 0;
      for (std::size_t k = names[i].size(); k-- > 0;) word = word << 8 | static_cast<unsigned char>(names[i][k]);
      auto& place = slots[index(word)];
      if (place.word != 0) return false;
      place = {word, static_cast<line_field>(i)};
    }
    return true;
  }
};
constexpr auto places = [] {
  name_places out;
  while (!out.fill()) out.multiplier *= 0x5851F42D4C957F2D;
  return out;
}();

bool is_json_number(std::string_view text) {
  auto p = text.data(), end = p + text.size();
  auto digits = [&] {
    auto start = p;
    while (p != end && is_digit(*p)) ++p;
    return p - start;
  };
  if (p != end && *p == '-') ++p;
  auto first = p;
  auto count = digits();
  if (count == 0 || (count > 1 && *first == '0')) return false;
  if (p != end && *p == '.' && (++p, digits() == 0)) return false;
  if (p != end && (*p == 'e' || *p == 'E')) {
    if (++p != end && (*p == '+' || *p == '-')) ++p;
    if (digits() == 0) return false;
  }
  return p == end;
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

tl::unexpected<failure> malformed(std::string why) {
  return fail(errc::malformed_line, "the line is not one JSON object: " + std::move(why));
}
tl::unexpected<failure> malformed(simdjson::error_code code) { return malformed(simdjson::error_message(code)); }

expected<void> read_value(ondemand::value value, line_value& out, int depth);

// A string nobody escaped is used where it stands.
expected<void> read_string(ondemand::value value, line_value& out) {
  out.form = value_form::string;
  auto token = value.raw_json_token();
  auto start = token.data() + 1, end = plain_end(start);
  if (*end == '"') {
    out.text = {start, static_cast<std::size_t>(end - start)};
    return {};
  }
  if (auto code = value.get_string().get(out.text)) return malformed(code);
  if (!simdjson::validate_utf8(out.text.data(), out.text.size())) return malformed("half of a surrogate pair");
  return {};
}

expected<void> read_array(ondemand::value value, int depth) {
  ondemand::array array;
  if (auto code = value.get_array().get(array)) return malformed(code);
  for (auto element : array) {
    ondemand::value inner;
    if (auto code = element.get(inner)) return malformed(code);
    line_value ignored;
    if (auto done = read_value(inner, ignored, depth + 1); !done) return done;
  }
  return {};
}

expected<std::string_view> read_key(ondemand::field& field) {
  auto start = field.key().raw(), end = plain_end(start);
  if (*end == '"') return std::string_view{start, static_cast<std::size_t>(end - start)};
  std::string_view key;
  if (auto code = field.unescaped_key().get(key)) return malformed(code);
  if (!simdjson::validate_utf8(key.data(), key.size())) return malformed("half of a surrogate pair");
  return key;
}

// `fields` is where known values go; null inside of nested objects.
expected<void> read_object(ondemand::object object, line_fields* fields, int depth) {
  for (auto entry : object) {
    ondemand::field field;
    if (auto code = std::move(entry).get(field)) return malformed(code);
    auto key = read_key(field);
    if (!key) return tl::unexpected{key.error()};
    line_value ignored;
    auto* out = &ignored;
    if (fields != nullptr)
      if (auto known = field_named(*key); known != line_field::unknown && (*fields)[known].form == value_form::absent)
        out = &(*fields)[known];
    if (auto done = read_value(field.value(), *out, depth + 1); !done) return done;
  }
  return {};
}

expected<void> read_value(ondemand::value value, line_value& out, int depth) {
  if (depth > line_reader::max_nesting) return malformed("nested too deep");
  ondemand::json_type type;
  if (auto code = value.type().get(type)) return malformed(code);
  switch (type) {
  case ondemand::json_type::string: return read_string(value, out);
  case ondemand::json_type::number:
    out = {value_form::number, trim_end(value.raw_json_token())};
    if (!is_json_number(out.text)) return malformed(excerpt(out.text) + " is not a number");
    return {};
  case ondemand::json_type::null:
  case ondemand::json_type::boolean:
    out = {type == ondemand::json_type::null ? value_form::null : value_form::boolean,
           trim_end(value.raw_json_token())};
    if (out.text != "null" && out.text != "true" && out.text != "false")
      return malformed(excerpt(out.text) + " is not a value");
    return {};
  case ondemand::json_type::array: out.form = value_form::nested; return read_array(value, depth);
  case ondemand::json_type::object: {
    out.form = value_form::nested;
    ondemand::object object;
    if (auto code = value.get_object().get(object)) return malformed(code);
    return read_object(object, nullptr, depth);
  }
  }
  return malformed("an unknown type of value");
}

} // namespace

line_field field_named(std::string_view key) {
  if (key.empty() || key.size() > sizeof(std::uint64_t)) return line_field::unknown;
  auto word = first_word_of(key);
  const auto& place = places.slots[places.index(word)];
  return place.word == word ? place.field : line_field::unknown;
}

std::string_view name_of(line_field field) {
  return field == line_field::unknown ? "?" : names[static_cast<std::size_t>(field)];
}

struct line_reader::implementation {
  ondemand::parser parser;

  expected<void> read(std::string_view line, line_fields& fields) {
    ondemand::document document;
    auto padded = simdjson::padded_string_view{line, line.size() + padding};
    if (auto code = parser.iterate(padded).get(document)) return malformed(code);
    ondemand::object object;
    if (auto code = document.get_object().get(object)) return malformed(code);
    if (auto done = read_object(object, &fields, 0); !done) return done;
    // Past the last token there is no location.
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return malformed("there is more after its end");
    return {};
  }
};

line_reader::line_reader() : self_{std::make_unique<implementation>()} {}
line_reader::~line_reader() = default;

expected<void> line_reader::read(std::string_view line, line_fields& fields) {
  fields = {};
  auto done = self_->read(line, fields);
  if (!done && !simdjson::validate_utf8(line.data(), line.size()))
    return fail(errc::not_utf8, "the line is not UTF-8 text");
  return done;
}

} // namespace finstream
