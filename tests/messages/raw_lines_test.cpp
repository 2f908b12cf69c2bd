#define CAF_SUITE raw_lines

#include "messages/codec/line_parser.hpp"
#include "messages/codec/raw_lines.hpp"
#include "tests/support/suite.hpp"

#include <random>

using namespace finstream;

namespace {

raw_lines lines_of(const std::vector<std::string>& texts) {
  raw_lines out;
  for (auto& x : texts) out.add(x);
  return out;
}

// The line of each row, whichever partition it is in.
std::string line_of(const raw_lines& x, std::size_t row) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < row; ++i) begin += x.lengths[i];
  return x.bytes.substr(begin, x.lengths[row]);
}

} // namespace

CAF_TEST(lines are read back as they were and any bytes are safe to read) {
  auto x = lines_of({"first", "", std::string(1000, 'x'), "\0\xff"});
  auto bytes = encode_lines(x, 4711);
  auto back = decode_lines(bytes);
  CAF_REQUIRE(back.has_value());
  CAF_CHECK_EQUAL(back->first_offset, 4711u);
  CAF_CHECK(back->lengths == x.lengths && back->bytes == x.bytes);
  std::mt19937 random{1};
  for (int i = 0; i < 20'000; ++i) {
    auto broken = bytes.substr(0, i % 3 == 0 ? random() % bytes.size() : bytes.size());
    if (!broken.empty()) broken[random() % std::min<std::size_t>(broken.size(), 16)] = static_cast<char>(random());
    if (auto read = decode_lines(broken)) {
      std::size_t total = 0;
      for (auto length : read->lengths) total += length;
      CAF_CHECK_EQUAL(total, read->bytes.size());
    }
  }
}

CAF_TEST(lines of duplicates are taken out by their places) {
  auto x = lines_of({"a", "bb", "", "dddd", "e"});
  CAF_CHECK(x.without({}) == x);
  CAF_CHECK(x.without({0, 2, 4}) == lines_of({"bb", "dddd"}));
  CAF_CHECK(x.without({0, 1, 2, 3, 4}) == raw_lines{});
}

CAF_TEST(each row has the very line that it was made of) {
  line_parser_options options;
  options.feed = "feed";
  options.partitions = 3;
  options.keep_lines = true;
  line_parser parser{options};
  options.keep_lines = false;
  line_parser without{options};
  std::mt19937 random{2};
  std::string text;
  std::vector<std::string> of_seq;
  for (int n = 0; n < 3000; ++n) {
    // Of one shape for a while, then of another; control lines, blank ones and bad ones are in between.
    auto space = n / 100 % 2 == 0 ? "" : " ";
    auto line = std::string{"{\"symbol\":"} + space + "\"S" + std::to_string(random() % 20) +
                "\",\"src_ts\":\"2024-01-02T10:00:00Z\",\"seq\":" + std::to_string(n) +
                ",\"price\":" + std::to_string(random() % 1000) + ".5,\"size\":1}";
    of_seq.push_back(line);
    text += line + (n % 7 == 0 ? "\r\n" : "\n");
    if (n % 11 == 0) text += "\n";
    if (n % 13 == 0) text += "{\"type\":\"heartbeat\",\"src_ts\":\"2024-01-02T10:00:00Z\"}\n";
    if (n % 17 == 0) text += "no JSON\n";
  }
  auto parsed = parser.parse(text, timestamp{1'800'000'000 * second});
  CAF_CHECK_EQUAL(parsed.events, 3000u);
  CAF_CHECK_LESS(1000u, parser.by_shape());
  CAF_CHECK_LESS(1u, parser.by_simdjson());
  for (std::size_t p = 0; p < 3; ++p) {
    auto& rows = parsed.batches[p]->rows;
    CAF_REQUIRE_EQUAL(parsed.lines_of_events[p]->lengths.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); i += 17) {
      auto line = line_of(*parsed.lines_of_events[p], i);
      auto& want = of_seq[static_cast<std::size_t>(rows[i].seq)];
      CAF_CHECK(line == want || line == want + "\r");
    }
  }
  CAF_CHECK(without.parse(text, timestamp{1'800'000'000 * second}).lines_of_events.empty());
}
