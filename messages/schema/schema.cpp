#include "messages/schema/schema.hpp"

#include "messages/event/answers.hpp"
#include "messages/event/dead_letter.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/source_event.hpp"
#include "messages/event/sys_event.hpp"

#include <array>
#include <xxhash.h>

namespace finstream {

namespace {

template <class T> struct type_name;
template <> struct type_name<std::string> {
  static std::string text() { return "str"; }
};
template <> struct type_name<bool> {
  static std::string text() { return "bool"; }
};
template <> struct type_name<std::int64_t> {
  static std::string text() { return "i64"; }
};
template <> struct type_name<std::uint64_t> {
  static std::string text() { return "u64"; }
};
template <> struct type_name<std::uint32_t> {
  static std::string text() { return "u32"; }
};
template <> struct type_name<double> {
  static std::string text() { return "f64"; }
};
template <> struct type_name<notional> {
  static std::string text() { return "notional"; }
};
template <> struct type_name<decimal> {
  static std::string text() { return "decimal"; }
};
template <> struct type_name<price> {
  static std::string text() { return "price"; }
};
template <> struct type_name<quantity> {
  static std::string text() { return "quantity"; }
};
template <> struct type_name<timestamp> {
  static std::string text() { return "timestamp"; }
};
template <class T>
requires std::is_enum_v<T>
struct type_name<T> {
  static std::string text() { return "enum"; }
};
template <class T> struct type_name<std::optional<T>> {
  static std::string text() { return type_name<T>::text() + "?"; }
};
template <class T, std::size_t N> struct type_name<std::array<T, N>> {
  static std::string text() { return type_name<T>::text() + "[" + std::to_string(N) + "]"; }
};

template <message T> std::string schema_of(const std::string& name) {
  std::string out = name + "{";
  T x;
  fields(x, [&](auto... fs) {
    ((out += fs.name, out += ':', out += type_name<std::remove_cvref_t<decltype(fs.value)>>::text(), out += ';'), ...);
  });
  return out + "}";
}
template <message T> struct type_name<std::vector<T>> {
  static std::string text() { return schema_of<T>("") + "[]"; }
};

void add(std::string& out, const char* name, const std::string& text) {
  out += std::string{name} + " " + hash_hex(hash_text(text)) + " " + text + "\n";
}

} // namespace

std::uint64_t hash_text(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

std::string hash_hex(std::uint64_t hash) {
  char out[17];
  std::snprintf(out, sizeof(out), "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

std::string hash_text_128_hex(std::string_view text) {
  auto hash = XXH3_128bits(text.data(), text.size());
  return hash_hex(hash.high64) + hash_hex(hash.low64);
}

std::string schema_list() {
  std::string out;
  add(out, "answers", schema_of<answers>("answers"));
  add(out, "bar", schema_of<bar>("bar"));
  add(out, "dead_letter", schema_of<dead_letter>("dead_letter"));
  add(out, "end_of_interval", schema_of<end_of_interval>("end_of_interval"));
  add(out, "feature_vector", schema_of<feature_vector>("feature_vector"));
  add(out, "market_event", schema_of<market_event>("market_event"));
  add(out, "signal", schema_of<signal>("signal"));
  add(out, "source_event", schema_of<source_event>("source_event"));
  add(out, "stage_rules", schema_of<stage_rules>("stage_rules"));
  add(out, "sys_event", schema_of<sys_event>("sys_event"));
  return out;
}

std::uint64_t bar_schema_hash() {
  static const auto hash = hash_text(schema_of<bar>("bar"));
  return hash;
}
std::uint64_t feature_schema_hash() {
  static const auto hash = hash_text(schema_of<feature_vector>("feature_vector"));
  return hash;
}
std::uint64_t signal_schema_hash() {
  static const auto hash = hash_text(schema_of<signal>("signal"));
  return hash;
}

} // namespace finstream
