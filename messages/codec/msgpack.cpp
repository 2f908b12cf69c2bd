#include "messages/codec/msgpack.hpp"

#include <cmath>
#include <cstring>
#include <msgpack.hpp>
#include <utility>

namespace finstream {

namespace {

// msgpack-c writes into anything with write(); this makes a std::string one.
struct string_sink {
  std::string& out;
  void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};
using sink_packer = msgpack::packer<string_sink>;

void pack_value(sink_packer& to, const std::string& x) { to.pack(x); }
void pack_value(sink_packer& to, const decimal& x) { to.pack(x.units); }
void pack_value(sink_packer& to, const timestamp& x) { to.pack(x.ns); }
void pack_value(sink_packer& to, bool x) { to.pack(x); }
void pack_value(sink_packer& to, double x) { to.pack(x); }
// Wider than any integer of msgpack: its 16 bytes, little-endian.
void pack_value(sink_packer& to, const notional& x) {
  char bytes[sizeof(x.units)];
  std::memcpy(bytes, &x.units, sizeof(bytes));
  to.pack_bin(sizeof(bytes));
  to.pack_bin_body(bytes, sizeof(bytes));
}
template <class T>
requires std::is_integral_v<T>
void pack_value(sink_packer& to, T x) { to.pack(x); }
template <class T>
requires std::is_enum_v<T>
void pack_value(sink_packer& to, T x) { to.pack(static_cast<unsigned>(x)); }
template <class T> void pack_value(sink_packer& to, const std::optional<T>& x) {
  if (x)
    pack_value(to, *x);
  else
    to.pack_nil();
}

template <message T> void pack_message(sink_packer& to, const T& x);
template <message T> void pack_value(sink_packer& to, const T& x) { pack_message(to, x); }
template <message T> void pack_value(sink_packer& to, const std::vector<T>& xs) {
  to.pack_array(static_cast<std::uint32_t>(xs.size()));
  for (auto& x : xs) pack_message(to, x);
}
template <message T> void pack_message(sink_packer& to, const T& x) {
  fields(x, [&](auto... fs) {
    to.pack_array(sizeof...(fs));
    (pack_value(to, fs.value), ...);
  });
}

template <class T> std::string pack_one(const T& x) {
  std::string out;
  string_sink sink{out};
  sink_packer to{sink};
  pack_message(to, x);
  return out;
}

// Reading: a value of the wrong type leaves `good` false.
struct reader {
  bool good = true;

  void take(const msgpack::object& from, std::string& x) {
    if (from.type == msgpack::type::STR)
      x.assign(from.via.str.ptr, from.via.str.size);
    else if (from.type == msgpack::type::BIN)
      x.assign(from.via.bin.ptr, from.via.bin.size);
    else
      good = false;
  }
  void take(const msgpack::object& from, bool& x) {
    good = good && from.type == msgpack::type::BOOLEAN;
    x = good && from.via.boolean;
  }
  void take(const msgpack::object& from, double& x) {
    // A whole number is packed as an integer.
    if (from.type == msgpack::type::FLOAT64 || from.type == msgpack::type::FLOAT32)
      x = from.via.f64;
    else if (from.type == msgpack::type::POSITIVE_INTEGER)
      x = static_cast<double>(from.via.u64);
    else if (from.type == msgpack::type::NEGATIVE_INTEGER)
      x = static_cast<double>(from.via.i64);
    else
      good = false;
    good = good && std::isfinite(x); // nothing of ours writes another
  }
  void take(const msgpack::object& from, notional& x) {
    good = good && from.type == msgpack::type::BIN && from.via.bin.size == sizeof(x.units);
    if (good) std::memcpy(&x.units, from.via.bin.ptr, sizeof(x.units));
  }
  void take(const msgpack::object& from, decimal& x) { take(from, x.units); }
  void take(const msgpack::object& from, timestamp& x) { take(from, x.ns); }
  template <class T>
  requires std::is_integral_v<T>
  void take(const msgpack::object& from, T& x) {
    if (from.type == msgpack::type::POSITIVE_INTEGER && std::in_range<T>(from.via.u64))
      x = static_cast<T>(from.via.u64);
    else if (from.type == msgpack::type::NEGATIVE_INTEGER && std::in_range<T>(from.via.i64))
      x = static_cast<T>(from.via.i64);
    else
      good = false;
  }
  template <class T>
  requires std::is_enum_v<T>
  void take(const msgpack::object& from, T& x) {
    std::uint8_t number = 0;
    take(from, number);
    x = static_cast<T>(number);
  }
  template <class T> void take(const msgpack::object& from, std::optional<T>& x) {
    if (from.type == msgpack::type::NIL) return x.reset();
    take(from, x.emplace());
  }
  template <message T> void take(const msgpack::object& from, T& x) { take_message(from, x); }
  template <message T> void take(const msgpack::object& from, std::vector<T>& xs) {
    if (from.type != msgpack::type::ARRAY) return void(good = false);
    xs.resize(from.via.array.size);
    for (std::uint32_t i = 0; i < from.via.array.size && good; ++i) take_message(from.via.array.ptr[i], xs[i]);
  }
  template <message T> void take_message(const msgpack::object& from, T& x) {
    if (from.type != msgpack::type::ARRAY) return void(good = false);
    auto* at = from.via.array.ptr;
    auto* end = at + from.via.array.size;
    fields(x, [&](auto... fs) { ((at != end ? take(*at++, fs.value) : void()), ...); });
  }
};

constexpr std::size_t deepest = 8; // arrays in arrays: a list of messages needs two, fields to come may need more

template <class Use> bool with_object(std::string_view bytes, Use use) {
  try {
    // Bounds what a hostile record can make msgpack-c allocate: nothing has more elements than the record has bytes.
    auto most = bytes.size();
    std::size_t used = 0;
    auto handle =
      msgpack::unpack(bytes.data(), bytes.size(), used, nullptr, nullptr, {most, most, most, most, most, deepest});
    return used == bytes.size() && use(handle.get());
  } catch (const std::exception&) {
    return false;
  }
}

template <class T> expected<T> unpack_one(std::string_view bytes, const char* what) {
  T out;
  auto good = with_object(bytes, [&](const msgpack::object& from) {
    reader in;
    in.take_message(from, out);
    return in.good;
  });
  if (!good) return fail(errc::corrupt_record, std::string{"a "} + what + " cannot be read: its bytes are not one");
  return out;
}

// Reads the alternative of this number; false if there is none.
template <std::size_t I = 0> bool take_derived(reader& in, std::size_t tag, const msgpack::object& from, derived& out) {
  if constexpr (I < std::variant_size_v<derived>) {
    if (tag != I) return take_derived<I + 1>(in, tag, from, out);
    in.take_message(from, out.emplace<I>());
    return in.good;
  }
  return false;
}

} // namespace

std::string to_msgpack(const bar& x) { return pack_one(x); }
std::string to_msgpack(const dead_letter& x) { return pack_one(x); }
std::string to_msgpack(const source_event& x) { return pack_one(x); }
std::string to_msgpack(const feature_vector& x) { return pack_one(x); }
std::string to_msgpack(const signal& x) { return pack_one(x); }
std::string to_msgpack(const stage_rules& x) { return pack_one(x); }
std::string to_msgpack(const answers& x) { return pack_one(x); }
std::string to_msgpack(const set_aside_request& x) { return pack_one(x); }
std::string to_msgpack(const taken_windows& x) { return pack_one(x); }

expected<bar> bar_from_msgpack(std::string_view bytes) { return unpack_one<bar>(bytes, "bar"); }
expected<dead_letter> dead_letter_from_msgpack(std::string_view bytes) {
  return unpack_one<dead_letter>(bytes, "dead letter");
}
expected<source_event> source_event_from_msgpack(std::string_view bytes) {
  return unpack_one<source_event>(bytes, "source event");
}
expected<feature_vector> feature_vector_from_msgpack(std::string_view bytes) {
  return unpack_one<feature_vector>(bytes, "feature vector");
}
expected<signal> signal_from_msgpack(std::string_view bytes) { return unpack_one<signal>(bytes, "signal"); }
expected<stage_rules> stage_rules_from_msgpack(std::string_view bytes) {
  return unpack_one<stage_rules>(bytes, "start of the node");
}
expected<answers> answers_from_msgpack(std::string_view bytes) { return unpack_one<answers>(bytes, "model's answer"); }
expected<taken_windows> taken_windows_from_msgpack(std::string_view bytes) {
  return unpack_one<taken_windows>(bytes, "list of windows taken over");
}
expected<set_aside_request> set_aside_request_from_msgpack(std::string_view bytes) {
  auto out = unpack_one<set_aside_request>(bytes, "request to set something aside");
  if (out && out->from && *out->from > line_stage::inference)
    return fail(errc::corrupt_record, "a request to set something aside names a stage that there is not");
  return out;
}

// [[tag, message], ...]: flat, as tag, message, tag, message ...
std::string to_msgpack(const std::vector<derived>& xs) {
  std::string out;
  string_sink sink{out};
  sink_packer to{sink};
  to.pack_array(static_cast<std::uint32_t>(xs.size() * 2));
  for (auto& x : xs) std::visit([&](auto& message) { to.pack(x.index()), pack_message(to, message); }, x);
  return out;
}

expected<std::vector<derived>> derived_from_msgpack(std::string_view bytes) {
  std::vector<derived> out;
  auto good = with_object(bytes, [&](const msgpack::object& from) {
    if (from.type != msgpack::type::ARRAY || from.via.array.size % 2 != 0) return false;
    reader in;
    for (std::uint32_t i = 0; i < from.via.array.size && in.good; i += 2) {
      std::size_t tag = 0;
      in.take(from.via.array.ptr[i], tag);
      in.good = in.good && take_derived(in, tag, from.via.array.ptr[i + 1], out.emplace_back());
    }
    return in.good;
  });
  if (!good) return fail(errc::corrupt_record, "a derived record cannot be read: its bytes are not one");
  return out;
}

} // namespace finstream
