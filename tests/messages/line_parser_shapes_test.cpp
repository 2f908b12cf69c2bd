#define CAF_SUITE line_parser_shapes

#include "tests/messages/line_parser_twins.hpp"
#include "tests/support/suite.hpp"

#include <random>
#include <vector>

using namespace finstream;

namespace {

const timestamp read_at = *parse_timestamp("2026-11-21T10:00:00Z");

line_parser_options options() {
  line_parser_options out;
  out.feed = "alpha";
  out.partitions = 3;
  out.max_keys = 40;
  out.max_line_bytes = 400;
  out.max_dead_letter_bytes = 100;
  return out;
}

// Lines as feeds write them, good ones mostly, and now and then something else.
class line_maker {
public:
  explicit line_maker(std::uint64_t seed) : random_{seed} {}

  std::string lines(std::size_t count) {
    std::string out;
    auto style = random_() % 6;
    for (std::size_t i = 0; i < count; ++i) {
      if (below(20) == 0) style = random_() % 6;
      auto line = below(30) == 0 ? odd_line() : event_line(style);
      if (below(12) == 0) mutate(line);
      out += line;
      out += below(40) == 0 ? "\r\n" : "\n";
    }
    if (below(3) == 0) out.pop_back(); // the end of a feed's output
    return out;
  }

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

private:
  std::string pick(const std::vector<std::string>& from) { return from[below(from.size())]; }

  std::string number() {
    switch (below(12)) {
    case 0:
      return pick({"0",
                   "-0",
                   "0.0",
                   "1e2",
                   "1.5E-3",
                   "9223372036.854775807",
                   "9223372036.854775808",
                   "-1",
                   "01",
                   "1.",
                   "-",
                   "1.0000000000",
                   "1.0000000001",
                   "0.123456789",
                   "12345678",
                   "123456789",
                   "12345678.12345678",
                   "99999999999",
                   "1.1234567",
                   "1.12345678",
                   "-0.5",
                   ".5",
                   "null",
                   "true",
                   "\"\"",
                   "1e400",
                   "+1"});
    case 1: return std::to_string(static_cast<std::int64_t>(random_()) >> below(64)) + ".5";
    case 2: return std::to_string(random_() >> below(64));
    default: return to_string(decimal{static_cast<std::int64_t>(below(1'000'000)) * 10'000'000});
    }
  }

  std::string integer() {
    switch (below(10)) {
    case 0: return std::to_string(static_cast<std::int64_t>(random_()));
    case 1:
      return pick({"0", "-1", "-0", "00", "1.0", "1e3", "9223372036854775807", "9223372036854775808",
                   "-9223372036854775808", "12345678", "1234567890123456", "12345678901234567890"});
    default: return std::to_string(seq_++);
    }
  }

  std::string time() {
    switch (below(14)) {
    case 0:
      return pick({"2026-11-21T09:00:00+01:00", "2026-11-21t09:00:00z", "2026-11-21 09:00:00Z", "2026-11-21T09:00:60Z",
                   "2026-11-21T09:00:00.Z", "2026-11-21T09:00:00.1234567890Z", "2026-11-21T09:00:0Z",
                   "2026-11-31T09:00:00Z", "2027-01-01T00:00:00Z", "1969-12-31T23:59:59.9Z", "",
                   "2026-11-21T09:00:00.123456789ZZ"});
    case 1: now_ = now_ + 61 * second; break;
    default: now_ = now_ + static_cast<nanoseconds>(below(1'000'000'000));
    }
    if (now_ > read_at) now_ = read_at - 3600 * second;
    auto text = to_string(now_);
    if (text.size() == 30 && below(4) == 0) { // any number of digits
      text.resize(21 + below(9));
      text += 'Z';
    }
    return text;
  }

  std::string symbol() {
    return pick({"SPY", "QQQ", "IWM", "ABCDEFGH", "ABCDEFGHI", "EURUSD.X1",
                 "a-rather-long-symbol-of-an-option-2026-11-21-C-425.00", "A"}) +
           (below(30) == 0 ? pick({"|", "\\u0041", "\xC3\xA9", "\x01", "\x7F", "\xFF", "\\n", std::string(70, 'x'), "1",
                                   "2", "3", "4"})
                           : "");
  }

  std::string event_line(std::uint64_t style) {
    auto quoted = [](const std::string& text) { return "\"" + text + "\""; };
    auto ts = R"("src_ts":)" + quoted(time());
    auto of = R"("symbol":)" + quoted(symbol());
    auto seq = R"("seq":)" + integer();
    switch (style) {
    case 0:
      return R"({"ver":1,"provider":"synthetic",)" + of + R"(,"kind":"tick",)" + ts + R"(,"price":)" + number() +
             R"(,"size":)" + number() + "," + seq + R"(,"resume":)" + quoted(integer()) + "}";
    case 1:
      return R"({ "type": "event", )" + ts + ", " + of + R"(, "price": ")" + number() + R"(", "seq": )" +
             quoted(integer()) + R"(, "provider": )" + quoted(pick({"xnas", "xnys", "a-provider-with-a-long-name"})) +
             " }";
    case 2:
      return "{" + seq + "," + of + R"(,"bid":)" + number() + R"(,"ask":)" + number() + R"(,"bid_size":)" + number() +
             R"(,"ask_size":)" + number() + "," + ts + R"(,"resume":)" + integer() + "}";
    case 3: {
      auto x = "1" + number();
      return "{" + seq + "," + of + R"(,"kind":"bar","interval":)" +
             quoted(pick({"1s", "1m", "", "1h", "an interval over 16"})) + R"(,"o":)" + x + R"(,"h":)" +
             pick({x, number()}) + R"(,"l":)" + pick({x, number()}) + R"(,"c":)" + x + R"(,"v":)" + number() + "," +
             ts + "}";
    }
    case 4:
      return "{" + of + "," + ts + "," + seq + R"(,"price":)" + number() + R"(,"event_id":"x|y|z|)" + integer() +
             R"(","cond":)" + number() + R"(,"buy":)" + pick({"true", "false", "null", "truth"}) + R"(,"bid":)" +
             number() + R"(,"size":null})";
    default:
      return "{" + of + "," + ts + "," + seq + R"(,"price":)" + number() +
             pick({"", R"(,"price":2)", R"(,"tags":["a"])", R"(,"x":"\\")"}) + "}";
    }
  }

  std::string odd_line() {
    return pick({"", "  ", "no line", R"({"type":"hello","resumed":true})",
                 R"({"type":"heartbeat","src_ts":"2026-11-21T09:00:00Z"})",
                 R"({"type":"gap","from":"2026-11-21T09:00:00Z","to":"2026-11-21T09:00:00Z","reason":"x"})",
                 R"({"type":"eof"})", "{}", "[]", std::string(500, 'x'),
                 R"({"type":"heartbeat","src_ts":"2036-11-21T09:00:00Z"})"});
  }

  void mutate(std::string& line) {
    if (line.empty()) return;
    auto at = below(line.size());
    switch (below(5)) {
    case 0: line.erase(at, 1 + below(4)); break;
    case 1: line[at] = static_cast<char>(random_()); break;
    case 2: line.insert(at, 1, static_cast<char>(below(128))); break;
    case 3: line[at] = pick({"\"", "\\", "{", "}", ",", ":", " ", "0", "-", "\n", "e", "."})[0]; break;
    default: line.insert(at, line.substr(below(line.size()), below(20)));
    }
  }

  std::mt19937_64 random_;
  std::int64_t seq_ = 18'300'001;
  timestamp now_ = read_at - 3600 * second;
};

std::string tick(const std::string& more) {
  return R"({"symbol":"SPY","src_ts":"2026-11-21T09:59:59.5Z",)" + more + "}\n";
}

} // namespace

CAF_TEST(with and without shapes every line has the same result) {
  std::uint64_t shaped = 0, events = 0, dead = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    line_maker maker{seed};
    auto with = options();
    if (seed % 4 == 0) with.rounding_mode = rounding::half_even;
    test::twin_parsers twins{with};
    for (int chunk = 0; chunk < 10; ++chunk) {
      auto difference = twins.parse(maker.lines(1 + maker.below(60)), read_at + chunk);
      if (!difference.empty())
        CAF_FAIL("seed " + std::to_string(seed) + ", chunk " + std::to_string(chunk) + ": " + difference);
      events += twins.last().events;
      dead += twins.last().dead_letters.size();
    }
    shaped += twins.by_shape();
  }
  // The comparison is worth something only if all of it happens often.
  CAF_CHECK(shaped > events / 4);
  CAF_CHECK(events - shaped > events / 10);
  CAF_CHECK(dead > 10'000);
}

CAF_TEST(every cut of a line gives the same with and without shapes) {
  auto line =
    R"({"ver":1,"provider":"synthetic","symbol":"SYM042","kind":"tick","src_ts":"2026-11-21T09:10:00.123456789Z",)"
    R"("price":425.15,"size":1200,"seq":18300001,"resume":"18300001"})";
  for (std::size_t i = 0; i <= std::string_view{line}.size(); ++i) {
    test::twin_parsers twins{options()};
    auto whole = std::string{line} + "\n";
    CAF_CHECK_EQUAL(twins.parse(whole + whole, read_at), "");
    CAF_CHECK_EQUAL(twins.parse(whole.substr(0, i) + "\n" + whole, read_at), "");
    CAF_CHECK_EQUAL(twins.parse(whole + whole.substr(0, i), read_at), "");
    CAF_CHECK_EQUAL(twins.parse(whole.substr(i) + whole, read_at), "");
  }
}

CAF_TEST(every byte in every place gives the same with and without shapes) {
  auto line =
    std::string{R"({"symbol":"SPY","src_ts":"2026-11-21T09:10:00.5Z","price":4.5,"seq":1,"x":true,"y":-1.5e3})"};
  test::twin_parsers twins{options()};
  for (std::size_t i = 0; i < line.size(); ++i)
    for (int byte = 0; byte < 256; ++byte) {
      auto other = line;
      other[i] = static_cast<char>(byte);
      auto difference = twins.parse(line + "\n" + other + "\n" + line + "\n", read_at);
      if (!difference.empty()) CAF_FAIL(other + ": " + difference);
    }
}

CAF_TEST(lines of one shape are read without simdjson) {
  line_parser parser{options()};
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += tick(R"("price":)" + std::to_string(i) + R"(.25,"seq":)" + std::to_string(i));
  CAF_CHECK_EQUAL(parser.parse(lines, read_at).events, 100u);
  CAF_CHECK_EQUAL(parser.by_simdjson(), 1u);
  CAF_CHECK_EQUAL(parser.by_shape(), 99u);
}

CAF_TEST(a few shapes are kept so that trades and quotes may take turns) {
  line_parser parser{options()};
  std::string lines;
  for (int i = 0; i < 100; ++i)
    lines += tick(R"("price":1,"seq":1)") + tick(R"("bid":1,"ask":2,"seq":1)") +
             tick(R"("price":1,"seq":1,"resume":"x")") + tick(R"("o":1,"h":1,"l":1,"c":1,"seq":1)");
  CAF_CHECK_EQUAL(parser.parse(lines, read_at).events, 400u);
  CAF_CHECK_EQUAL(parser.by_simdjson(), 4u);
}

CAF_TEST(lines with a key that comes twice or with nested values are never read by a shape) {
  for (auto more : {R"("price":1,"seq":1,"seq":2)", R"("price":1,"seq":1,"x":[1])", R"("price":1,"seq":1,"x":{})",
                    R"("price":1,"seq":1,"x":"\n")", R"("price":1,"seq":1,"\u0078":1)"}) {
    line_parser parser{options()};
    CAF_CHECK_EQUAL(parser.parse(tick(more) + tick(more) + tick(more), read_at).events, 3u);
    CAF_CHECK_EQUAL(parser.by_shape(), 0u);
  }
}

CAF_TEST(numbers at their limits are right when read by their shape) {
  struct row {
    const char* text;
    std::int64_t units;
  };
  for (const auto& x : std::vector<row>{{"9999999.999999999", 9'999'999'999'999'999},
                                        {"12345678.5", 12'345'678'500'000'000},
                                        {"9223372036.854775807", std::numeric_limits<std::int64_t>::max()},
                                        {"0.000000001", 1},
                                        {"-0.000000001", -1},
                                        {"1.12345678", 1'123'456'780},
                                        {"1.1234567", 1'123'456'700},
                                        {"1.0000000000", 1'000'000'000},
                                        {"15e-1", 1'500'000'000},
                                        {"0", 0}}) {
    line_parser parser{options()};
    auto chunk = parser.parse(tick(R"("price":1,"seq":1)") +
                                tick(R"("price":)" + std::string{x.text} + R"(,"seq":9223372036854775807)"),
                              read_at);
    CAF_REQUIRE_EQUAL(chunk.events, 2u);
    CAF_CHECK_EQUAL(parser.by_shape(), 1u);
    const auto& batch = chunk.batches[partition_of("SPY", 3)];
    CAF_CHECK_EQUAL(batch->rows[1].values[0], x.units);
    CAF_CHECK_EQUAL(batch->rows[1].seq, std::numeric_limits<std::int64_t>::max());
  }
}
