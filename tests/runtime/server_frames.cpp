// The frame layer without a socket: every cut of the bytes gives the same messages, and what is illegal is named.
#define CAF_SUITE server_frames
#include "runtime/server/frames.hpp"

#include "tests/runtime/server_client.hpp"
#include "tests/support/suite.hpp"

#include <random>

using namespace finstream;
using finstream::test::masked_frame;

namespace {

struct outcome {
  std::vector<std::string> messages;
  std::string violation;
  bool operator==(const outcome&) const = default;
};

outcome read_all(std::string_view bytes, const std::function<std::size_t()>& next_cut, std::size_t limit = 1000) {
  frame_reader reader{limit};
  outcome result;
  while (!bytes.empty()) {
    auto piece = bytes.substr(0, next_cut());
    bytes.remove_prefix(piece.size());
    while (auto message = reader.next(piece))
      result.messages.push_back(std::to_string(static_cast<int>(message->kind)) + ":" + message->payload);
  }
  result.violation = reader.violation();
  return result;
}

outcome read_all(std::string_view bytes, std::size_t limit = 1000) {
  return read_all(
    bytes, [&] { return bytes.size(); }, limit);
}

std::string with_first_byte(std::string frame, unsigned char byte) {
  frame[0] = static_cast<char>(byte);
  return frame;
}

} // namespace

CAF_TEST(the header takes the shortest of three lengths) {
  struct row {
    std::uint64_t payload;
    std::size_t header;
  };
  for (auto [payload, header] :
       {row{0, 2}, row{125, 2}, row{126, 4}, row{65535, 4}, row{65536, 10}, row{1 << 20, 10}}) {
    char bytes[max_frame_header_bytes];
    CAF_CHECK_EQUAL(write_frame_header(bytes, frame_kind::text, payload), header);
    std::uint64_t read = static_cast<unsigned char>(bytes[1]);
    if (header > 2) read = 0;
    for (std::size_t i = 2; i < header; ++i) read = read << 8 | static_cast<unsigned char>(bytes[i]);
    CAF_CHECK_EQUAL(read, payload);
  }
}

CAF_TEST(messages are the same however the bytes are cut) {
  std::string long_text(700, 'x');
  auto bytes = masked_frame(frame_kind::text, "{}") + masked_frame(frame_kind::text, "hel", false) +
               masked_frame(frame_kind::ping, "between") + masked_frame(frame_kind::continuation, "lo", true) +
               masked_frame(frame_kind::text, long_text) + masked_frame(frame_kind::text, "") +
               masked_frame(frame_kind::close, "\x03\xE8"
                                               "bye");
  outcome expected{{"1:{}", "9:between", "1:hello", "1:" + long_text, "1:",
                    "8:\x03\xE8"
                    "bye"},
                   ""};
  CAF_CHECK(read_all(bytes) == expected);
  for (std::size_t cut = 1; cut < 40; ++cut) CAF_CHECK(read_all(bytes, [&] { return cut; }) == expected);
}

CAF_TEST(what a client must not do is named) {
  struct row {
    std::string bytes;
    std::string_view violation;
  };
  std::string unmasked = "\x81\x02hi";
  auto text = masked_frame(frame_kind::text, "hi");
  std::vector<row> rows{
    {unmasked, "a frame without a mask"},
    {with_first_byte(text, 0xC1), "reserved bits are set, and no extension was agreed on"},
    {masked_frame(frame_kind::binary, "hi"), "a binary frame, and only text is understood"},
    {with_first_byte(text, 0x83), "a frame of unknown kind"},
    {with_first_byte(text, 0x8B), "a frame of unknown kind"},
    {masked_frame(frame_kind::ping, std::string(126, 'x')), "a control frame that is fragmented or over 125 bytes"},
    {masked_frame(frame_kind::ping, "x", false), "a control frame that is fragmented or over 125 bytes"},
    {masked_frame(frame_kind::continuation, "x"), "a continuation of nothing"},
    {masked_frame(frame_kind::text, "x", false) + text, "a new message before the last is complete"},
    {masked_frame(frame_kind::text, std::string(1001, 'x')), "a message over the size limit"},
    {masked_frame(frame_kind::text, std::string(600, 'x'), false) +
       masked_frame(frame_kind::continuation, std::string(401, 'x')),
     "a message over the size limit"},
    {masked_frame(frame_kind::text, "\xC0\x80"), "text that is not UTF-8"},
  };
  for (const auto& x : rows) CAF_CHECK_EQUAL(read_all(x.bytes).violation, x.violation);
  CAF_CHECK_EQUAL(read_all(masked_frame(frame_kind::text, std::string(1000, 'x'))).messages.size(), 1u);
}

CAF_TEST(a length of nearly two to the 64 is over the limit and no more) {
  std::string bytes = "\x81\xFF" + std::string(8, '\xFF') + "mask";
  CAF_CHECK_EQUAL(read_all(bytes).violation, "a message over the size limit");
  // A sum that would wrap: something is in the message already.
  CAF_CHECK_EQUAL(read_all(masked_frame(frame_kind::text, "x", false) + with_first_byte(bytes, 0x80)).violation,
                  "a message over the size limit");
}

CAF_TEST(random bytes give the same result in any cuts) {
  std::mt19937 random{20251024};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, 0);
    for (auto& c : bytes) c = static_cast<char>(random());
    // Half of them get far enough to have a payload.
    if (bytes.size() > 2 && round % 2 == 0) {
      bytes[0] = static_cast<char>(std::array{0x81, 0x01, 0x80, 0x89, 0x88}[random() % 5]);
      bytes[1] = static_cast<char>(0x80 | (random() % 20));
    }
    auto whole = read_all(bytes);
    auto in_pieces = read_all(bytes, [&] { return 1 + random() % 5; });
    CAF_REQUIRE(whole == in_pieces);
  }
}

CAF_TEST(utf8 is told from what only looks like it) {
  for (std::string_view good : {"", "plain text that is longer than eight bytes", "\xC3\xA9", "\xE2\x82\xAC",
                                "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "12345678\xC3\xA9"})
    CAF_CHECK(is_utf8(good));
  for (std::string_view bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                               "\xF5\x80\x80\x80", "\xFF", "1234567\xC3", "\xE2\x82"})
    CAF_CHECK(!is_utf8(bad));
}

CAF_TEST(a prefix never cuts a character) {
  CAF_CHECK_EQUAL(utf8_prefix("abc", 5), "abc");
  CAF_CHECK_EQUAL(utf8_prefix("abc", 2), "ab");
  CAF_CHECK_EQUAL(utf8_prefix("a\xE2\x82\xAC", 3), "a");
  CAF_CHECK_EQUAL(utf8_prefix("a\xE2\x82\xAC", 4), "a\xE2\x82\xAC");
  CAF_CHECK_EQUAL(close_frame(4001, std::string(500, 'r')).size(), 2 + max_control_payload_bytes);
}

CAF_TEST(a close frame says a legal code or none) {
  auto code = [](std::string_view payload) {
    auto said = read_close_payload(payload);
    return said ? static_cast<int>(said->code) : -1;
  };
  CAF_CHECK_EQUAL(code(""), 1005);
  CAF_CHECK_EQUAL(code("\x03"), -1);
  CAF_CHECK_EQUAL(code("\x03\xE8"), 1000);
  CAF_CHECK_EQUAL(code("\x0F\xA1reason"), 4001);
  CAF_CHECK_EQUAL(code("\x03\xED"), -1); // 1005 is never on the wire
  CAF_CHECK_EQUAL(code("\x03\xEE"), -1); // nor 1006
  CAF_CHECK_EQUAL(code("\x13\x88"), -1); // 5000
  CAF_CHECK_EQUAL(code("\x03\xE8\xFF"), -1);
}
