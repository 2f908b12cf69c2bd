// WebSocket frames (RFC 6455, the server's side) as plain logic: bytes in, messages out, no socket. The reader holds
// only what is not yet complete, so a connection that is silent costs no buffer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finstream {

inline constexpr std::size_t max_frame_header_bytes = 10;     // ours: without a mask
inline constexpr std::size_t max_control_payload_bytes = 125; // RFC 6455 5.5
inline constexpr std::uint16_t close_code_none = 1005;        // the peer's close frame named none
inline constexpr std::uint16_t close_code_lost = 1006;        // no close frame at all

enum class frame_kind : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// Writes the header of a final, unmasked frame; returns its length.
std::size_t write_frame_header(char* out, frame_kind kind, std::uint64_t payload_bytes);
// A whole control frame. The payload is cut to what a control frame may hold.
std::string control_frame(frame_kind kind, std::string_view payload);
std::string close_frame(std::uint16_t code, std::string_view reason);

struct close_payload {
  std::uint16_t code = close_code_none;
  std::string reason;
};
// Nothing if it is not a legal one.
std::optional<close_payload> read_close_payload(std::string_view payload);

bool is_utf8(std::string_view text);
// The longest start of `text` that is at most `limit` bytes and cuts no character.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

class frame_reader {
public:
  explicit frame_reader(std::size_t max_message_bytes) : max_message_bytes_{max_message_bytes} {}

  struct message {
    frame_kind kind = frame_kind::text; // text, close, ping or pong
    std::string payload;
  };
  // Takes bytes off the front of `input` until a message is complete; nothing when `input` is used up or violation()
  // says something. After a violation nothing more can be read.
  std::optional<message> next(std::string_view& input);
  // What the peer did wrong, empty if nothing yet.
  std::string_view violation() const { return violation_; }

private:
  bool take_header(std::string_view& input);
  void check_header();
  std::optional<message> complete();

  std::size_t max_message_bytes_;
  std::array<std::uint8_t, 14> header_{}; // 2, the length's 0, 2 or 8, and the mask's 4
  std::uint8_t header_size_ = 0;
  std::uint8_t header_needed_ = 2;
  bool in_payload_ = false;
  bool in_message_ = false;  // a text message has begun whose last fragment is not here yet
  std::uint64_t length_ = 0; // of this frame's payload
  std::uint64_t taken_ = 0;  // of it
  std::string text_;         // of the message so far
  std::string control_;      // a control frame may stand between two fragments
  std::string_view violation_;
};

} // namespace finstream
