#include "runtime/store/row_cells.hpp"

#include "messages/codec/json.hpp"
#include "runtime/store/store.hpp"

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace finstream::row_cells {

namespace {

constexpr std::string_view escape = "\xe2\x90\x9b"; // U+241B
constexpr char hex_digits[] = "0123456789abcdef";

// Bytes of the character of UTF-8 at the start of `rest`, as strictly as databases read it; 0 if there is none.
std::size_t character_length(std::string_view rest) {
  auto byte = [&](std::size_t i) { return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0u; };
  auto continued = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  auto lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4 || !continued(1)) return 0;
  if (lead < 0xe0) return 2;
  if (!continued(2) || (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if (lead < 0xf0) return 3;
  auto in_range = (lead != 0xf0 || byte(1) >= 0x90) && (lead != 0xf4 || byte(1) < 0x90);
  return continued(3) && in_range ? 4 : 0;
}

void append_hex(std::string& out, char byte) {
  auto b = static_cast<unsigned char>(byte);
  (out += hex_digits[b >> 4]) += hex_digits[b & 15];
}
std::optional<char> byte_of_hex(std::string_view digits) {
  unsigned value = 0;
  if (digits.size() != 2) return std::nullopt;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + 2, value, 16);
  if (error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(value);
}

bool is_hash(std::string_view name) { return name == "schema" || name == "config_hash" || name == "maker"; }

template <class Enum>
requires std::is_enum_v<Enum> std::string name_or_number(Enum x) {
  auto name = to_string(x);
  return name == "unknown" ? std::to_string(static_cast<unsigned>(x)) : std::string{name};
}

// --- objects in lists
// -------------------------------------------------------------------------------------------------

// Points in time say their unit, as the columns do.
template <class T> std::string json_name(const field<T>& f) {
  return std::string{f.name} + (std::is_same_v<std::remove_const_t<T>, timestamp> ? "_ns" : "");
}

void append_json(std::string& out, const std::string& x) { append_json_string(out, text_to_cell(x)); }
void append_json(std::string& out, double x) { append_json_double(out, x); }
// A text, so that no reader makes a double of it.
void append_json(std::string& out, const decimal& x) { append_json_string(out, to_string(x)); }
void append_json(std::string& out, const timestamp& x) { append_json_integer(out, x.ns); }
void append_json(std::string& out, bool x) { out += x ? "true" : "false"; }
template <class T>
requires std::is_unsigned_v<T>
void append_json(std::string& out, T x) { out += std::to_string(x); }
template <class T> void append_json(std::string& out, const std::optional<T>& x) {
  x ? append_json(out, *x) : void(out += "null");
}

template <class T> void append_object(std::string& out, const T& x) {
  auto before = '{';
  auto append = [&](const auto& f) {
    out += std::exchange(before, ',');
    append_json_string(out, json_name(f));
    out += ':';
    append_json(out, f.value);
  };
  fields(x, [&](auto... fs) { (append(fs), ...); });
  out += '}';
}

using nlohmann::json;

void take_json(const json& from, std::string& x) { x = text_from_cell(from.get_ref<const std::string&>()); }
void take_json(const json& from, timestamp& x) { x.ns = from.get<std::int64_t>(); }
void take_json(const json& from, decimal& x) {
  auto read = parse_decimal(from.get_ref<const std::string&>());
  if (!read) throw std::range_error{read.error().message};
  x = *read;
}
template <class T>
requires std::is_arithmetic_v<T>
void take_json(const json& from, T& x) { x = from.get<T>(); }
template <class T> void take_json(const json& from, std::optional<T>& x) {
  from.is_null() ? x.reset() : take_json(from, x.emplace());
}

// --- cells
// ------------------------------------------------------------------------------------------------------------

cell put(std::string_view name, const std::string& x) {
  if (name != "bytes") return text_to_cell(x);
  std::string out = "\\x";
  for (auto byte : x) append_hex(out, byte);
  return out;
}
cell put(std::string_view, const timestamp& x) { return std::to_string(x.ns); }
cell put(std::string_view, const decimal& x) { return to_string(x); }
cell put(std::string_view, const notional& x) { return to_string(x); }
cell put(std::string_view, double x) {
  std::string out;
  append_json_double(out, x);
  return out;
}
template <class T>
requires std::is_integral_v<T> cell put(std::string_view name, T x) {
  if (!is_hash(name)) return std::to_string(x);
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8)
    append_hex(out, static_cast<char>(static_cast<std::uint64_t>(x) >> shift));
  return out;
}
template <class T>
requires std::is_enum_v<T> cell put(std::string_view, T x) { return name_or_number(x); }
template <class T> cell put(std::string_view name, const std::optional<T>& x) {
  return x ? put(name, *x) : std::nullopt;
}
template <class T> cell put(std::string_view, const std::vector<T>& xs) {
  std::string out = "[";
  for (auto& x : xs) {
    if (out.size() > 1) out += ',';
    append_object(out, x);
  }
  return out += ']';
}

bool take(std::string_view name, std::string_view from, std::string& x) {
  if (name != "bytes") return x = text_from_cell(from), true;
  if (!from.starts_with("\\x")) return false;
  for (from.remove_prefix(2); !from.empty(); from.remove_prefix(2)) {
    auto byte = byte_of_hex(from.substr(0, 2));
    if (!byte) return false;
    x += *byte;
  }
  return true;
}
template <class T>
requires std::is_arithmetic_v<T>
bool take(std::string_view name, std::string_view from, T& x) {
  auto* end = from.data() + from.size();
  std::from_chars_result read{};
  if constexpr (std::is_integral_v<T>)
    read = std::from_chars(from.data(), end, x, is_hash(name) ? 16 : 10);
  else
    read = std::from_chars(from.data(), end, x);
  return read.ec == std::errc{} && read.ptr == end;
}
bool take(std::string_view name, std::string_view from, timestamp& x) { return take(name, from, x.ns); }
bool take(std::string_view, std::string_view from, decimal& x) {
  auto read = parse_decimal(from);
  if (read) x = *read;
  return read.has_value();
}
bool take(std::string_view, std::string_view from, notional& x) {
  auto negative = from.starts_with('-');
  if (negative) from.remove_prefix(1);
  auto point = std::min(from.find('.'), from.size());
  auto places = from.substr(std::min(point + 1, from.size()));
  if (places.size() > 18 || point == 0) return false;
  uint128 magnitude = 0;
  for (auto digit : std::string{from.substr(0, point)} + std::string{places} + std::string(18 - places.size(), '0')) {
    if (digit < '0' || digit > '9') return false;
    if (__builtin_mul_overflow(magnitude, uint128{10}, &magnitude)) return false;
    if (__builtin_add_overflow(magnitude, static_cast<uint128>(digit - '0'), &magnitude)) return false;
  }
  auto largest = (uint128{1} << 127) - (negative ? 0 : 1);
  if (magnitude > largest) return false;
  x.units = static_cast<int128>(negative ? 0 - magnitude : magnitude);
  return true;
}
template <class T>
requires std::is_enum_v<T>
bool take(std::string_view, std::string_view from, T& x) {
  for (unsigned i = 0; i < 256; ++i)
    if (name_or_number(static_cast<T>(i)) == from) return x = static_cast<T>(i), true;
  return false;
}
template <class T> bool take(std::string_view name, std::string_view from, std::optional<T>& x) {
  return take(name, from, x.emplace());
}
template <class T> bool take(std::string_view, std::string_view from, std::vector<T>& xs) {
  try {
    auto list = json::parse(from);
    for (auto& object : list)
      fields(xs.emplace_back(), [&](auto... fs) { (take_json(object.at(json_name(fs)), fs.value), ...); });
    return list.is_array();
  } catch (const std::exception&) {
    return false;
  }
}

template <class T> constexpr bool may_be_absent = false;
template <class T> constexpr bool may_be_absent<std::optional<T>> = true;

} // namespace

std::string text_to_cell(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto length = character_length(text);
    if (length == 0 || text[0] == '\0' || text.starts_with(escape)) {
      // The symbol itself is written as the control character that it stands for.
      auto itself = length == escape.size();
      append_hex(out += escape, itself ? '\x1b' : text[0]);
      text.remove_prefix(itself ? length : 1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::string text_from_cell(std::string_view written) {
  std::string out;
  for (;;) {
    auto at = written.find(escape);
    out += written.substr(0, at);
    if (at == written.npos) return out;
    auto byte = byte_of_hex(written.substr(std::min(at + escape.size(), written.size())).substr(0, 2));
    // Written by someone else, if those are not two digits.
    if (!byte || *byte == '\x1b')
      out += escape;
    else
      out += *byte;
    written.remove_prefix(at + escape.size() + (byte ? 2 : 0));
  }
}

template <class Row> cells from_row(const Row& x) {
  cells out;
  fields(x, [&](auto... fs) {
    out.reserve(sizeof...(fs));
    (out.push_back(put(fs.name, fs.value)), ...);
  });
  return out;
}

template <class Row> expected<Row> to_row(const cell_views& from) {
  Row out;
  std::string wrong;
  std::size_t i = 0;
  auto read = [&](auto& f) {
    auto here = i < from.size() ? from[i] : std::nullopt;
    ++i;
    auto good = here ? take(f.name, *here, f.value) : may_be_absent<std::remove_cvref_t<decltype(f.value)>>;
    if (!good && wrong.empty())
      wrong = std::string{f.name} + " = " + std::string{here.value_or("nothing").substr(0, 80)};
  };
  fields(out, [&](auto... fs) { (read(fs), ...); });
  if (!wrong.empty()) return fail(errc::corrupt_record, "a row of the store cannot be read: " + wrong);
  return out;
}

template cells from_row(const bar&);
template cells from_row(const feature_vector&);
template cells from_row(const signal&);
template cells from_row(const job_run&);
template cells from_row(const dead_letter_entry&);
template expected<bar> to_row(const cell_views&);
template expected<feature_vector> to_row(const cell_views&);
template expected<signal> to_row(const cell_views&);
template expected<job_run> to_row(const cell_views&);
template expected<dead_letter_entry> to_row(const cell_views&);

} // namespace finstream::row_cells
