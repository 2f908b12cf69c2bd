#include "runtime/models/worker_frames.hpp"

#include <cstring>
#include <msgpack.hpp>

namespace finstream {

namespace {

// Deeper or wider than anything a worker says: what is beyond is garbage, whatever it claims to be.
const msgpack::unpack_limit limits{4096, 64, max_frame_bytes, max_frame_bytes, 0, 8};

struct string_sink {
  std::string& out;
  void write(const char* bytes, std::size_t size) { out.append(bytes, size); }
};

tl::unexpected<failure> garbage(const std::string& what) {
  return fail(errc::io_failure, "the worker's answer is not one: " + what);
}

// Calls take(key, value) for each entry of the one map that `body` is. What take returns says whether it was fit.
template <class F> expected<void> read_map(std::string_view body, F take) {
  try {
    std::size_t end = 0;
    auto parsed = msgpack::unpack(body.data(), body.size(), end, nullptr, nullptr, limits);
    auto& object = parsed.get();
    if (object.type != msgpack::type::MAP || end != body.size()) return garbage("it is not one map");
    for (auto& entry : std::span{object.via.map.ptr, object.via.map.size}) {
      if (entry.key.type != msgpack::type::STR) return garbage("a key is not a text");
      std::string_view key{entry.key.via.str.ptr, entry.key.via.str.size};
      if (!take(key, entry.val)) return garbage("its \"" + std::string{key.substr(0, 32)} + "\" has the wrong type");
    }
    return {};
  } catch (const std::exception& e) { // what msgpack-c throws has no common base but this
    return garbage(std::string{"its bytes are not msgpack: "} + e.what());
  }
}

bool read(const msgpack::object& from, std::string& to) {
  if (from.type != msgpack::type::STR) return false;
  to.assign(from.via.str.ptr, from.via.str.size);
  return true;
}
bool read(const msgpack::object& from, std::uint64_t& to) {
  if (from.type != msgpack::type::POSITIVE_INTEGER) return false;
  to = from.via.u64;
  return true;
}
bool read(const msgpack::object& from, std::vector<std::string>& to) {
  if (from.type != msgpack::type::ARRAY) return false;
  for (auto& element : std::span{from.via.array.ptr, from.via.array.size})
    if (!read(element, to.emplace_back())) return false;
  return true;
}
// As the bytes of little-endian doubles: exact, and ten times faster to write and read than numbers of msgpack.
bool read(const msgpack::object& from, std::vector<double>& to) {
  if (from.type != msgpack::type::BIN || from.via.bin.size % sizeof(double) != 0) return false;
  to.resize(from.via.bin.size / sizeof(double));
  if (!to.empty()) std::memcpy(to.data(), from.via.bin.ptr, from.via.bin.size);
  return true;
}

} // namespace

std::string predict_frame(std::uint64_t id, std::size_t columns, std::span<const double> values) {
  std::string frame(frame_header_bytes, '\0');
  string_sink sink{frame};
  msgpack::packer<string_sink> to{sink};
  auto bytes = values.size() * sizeof(double);
  frame.reserve(bytes + 64);
  to.pack_map(3);
  to.pack("id"), to.pack(id);
  to.pack("columns"), to.pack(static_cast<std::uint64_t>(columns));
  to.pack("values"), to.pack_bin(static_cast<std::uint32_t>(bytes));
  to.pack_bin_body(reinterpret_cast<const char*>(values.data()), static_cast<std::uint32_t>(bytes));
  auto length = frame.size() - frame_header_bytes;
  for (std::size_t i = 0; i < frame_header_bytes; ++i) frame[i] = static_cast<char>(length >> (8 * (3 - i)));
  return frame;
}

expected<std::size_t> frame_length(std::string_view header) {
  std::size_t length = 0;
  for (auto byte : header.substr(0, frame_header_bytes)) length = length << 8 | static_cast<unsigned char>(byte);
  if (length == 0 || length > max_frame_bytes)
    return garbage("a frame of " + std::to_string(length) + " bytes, which no frame has");
  return length;
}

expected<worker_greeting> read_greeting(std::string_view body) {
  worker_hello hello;
  worker_refusal refusal;
  auto good = read_map(body, [&](std::string_view key, const msgpack::object& value) {
    if (key == "failed") return read(value, refusal.reason);
    if (key == "hash") return read(value, hello.hash);
    if (key == "features") return read(value, hello.features);
    if (key == "columns") return read(value, hello.columns);
    if (key == "outputs") return read(value, hello.outputs);
    if (key == "library") return read(value, hello.library);
    return true;
  });
  if (!good) return tl::unexpected{good.error()};
  if (!refusal.reason.empty()) return refusal;
  return hello;
}

expected<worker_answer> read_answer(std::string_view body) {
  worker_answer answer;
  auto good = read_map(body, [&](std::string_view key, const msgpack::object& value) {
    if (key == "id") return read(value, answer.id);
    if (key == "outputs") return read(value, answer.outputs);
    if (key == "error") return read(value, answer.error);
    return true;
  });
  if (!good) return tl::unexpected{good.error()};
  return answer;
}

} // namespace finstream
