#include "messages/codec/raw_lines.hpp"

#include "messages/value/bytes.hpp"

namespace finstream {

namespace {
constexpr std::uint64_t format_version = 1;
}

raw_lines raw_lines::without(const std::vector<std::uint32_t>& places) const {
  raw_lines out;
  out.first_offset = first_offset;
  std::size_t begin = 0;
  auto skip = places.begin();
  for (std::uint32_t i = 0; i < lengths.size(); ++i) {
    if (skip != places.end() && *skip == i)
      ++skip;
    else
      out.add(std::string_view{bytes}.substr(begin, lengths[i]));
    begin += lengths[i];
  }
  return out;
}

std::string encode_lines(const raw_lines& x, std::uint64_t first_offset) {
  std::string out;
  out.reserve(x.bytes.size() + x.lengths.size() * 2 + 32);
  byte_writer to{out};
  to.number(format_version);
  to.number(first_offset);
  to.number(x.lengths.size());
  for (auto length : x.lengths) to.number(length);
  to.text(x.bytes);
  return out;
}

expected<raw_lines> decode_lines(std::string_view bytes) {
  auto refuse = [](const char* why) { return fail(errc::corrupt_record, std::string{"lines of a feed: "} + why); };
  byte_reader in{bytes};
  if (in.number() != format_version) return refuse("they are of a format this version does not know");
  raw_lines out;
  out.first_offset = in.number();
  auto lines = in.count(1);
  std::uint64_t total = 0;
  out.lengths.reserve(lines);
  for (std::uint64_t i = 0; i < lines; ++i) {
    auto length = in.number();
    if (length > bytes.size()) return refuse("a line is longer than all of them");
    total += length;
    out.lengths.push_back(static_cast<std::uint32_t>(length));
  }
  out.bytes = in.text();
  if (!in.done() || out.bytes.size() != total) return refuse("their bytes are not as many as they say");
  return out;
}

} // namespace finstream
