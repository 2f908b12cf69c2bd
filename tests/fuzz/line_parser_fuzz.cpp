// Promises: any bytes are safe to parse; a parser that uses shapes and one that does not make the same of them; and
// every line is an event, a control line, a dead letter or blank. What is accepted is JSON to another reader too.
//
// The first byte chooses the options, the rest are lines. They are parsed twice: the second time their shapes are
// known.
#include "messages/codec/line_parser.hpp"
#include "tests/messages/line_parser_twins.hpp"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

using namespace finstream;

namespace {

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

void check_lines(std::string_view lines, const parsed_chunk& chunk) {
  std::uint64_t count = 0, blank = 0, json = 0;
  while (!lines.empty()) {
    auto end = std::min(lines.find('\n'), lines.size());
    auto line = lines.substr(0, end);
    ++count;
    if (is_blank(line))
      ++blank;
    else if (nlohmann::json::accept(line))
      ++json;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  auto used = chunk.events + chunk.controls.size();
  ensure(chunk.lines == count, "a line is not counted");
  ensure(used + chunk.dead_letters.size() + blank == count, "a line is neither used nor a dead letter");
  ensure(used <= json, "a line is used that is not JSON");
  for (const auto& letter : chunk.dead_letters) {
    ensure(letter.code != errc::none && !letter.reason.empty(), "a dead letter does not say why");
    ensure(nlohmann::json(letter.reason).dump().size() > 2, "a reason is not UTF-8"); // throws
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  line_parser_options options;
  options.feed = "alpha";
  options.partitions = 1 + (data[0] & 3);
  options.rounding_mode = (data[0] & 4) != 0 ? rounding::half_even : rounding::reject;
  options.max_line_bytes = (data[0] & 8) != 0 ? 300 : 64 * 1024;
  options.max_keys = (data[0] & 16) != 0 ? 2 : 1000;
  auto lines = std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1};
  test::twin_parsers twins{options};
  const auto now = timestamp{1'795'255'200 * second}; // 2026-11-21T10:00:00Z
  ensure(twins.parse(lines, now).empty(), "shapes make a difference");
  check_lines(lines, twins.last());
  ensure(twins.parse(lines, now).empty(), "known shapes make a difference");
  check_lines(lines, twins.last());
  return 0;
}
