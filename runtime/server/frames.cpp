#include "runtime/server/frames.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace finstream {

namespace {

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::size_t mask_bytes = 4;

bool is_control(frame_kind kind) { return static_cast<std::uint8_t>(kind) >= 8; }

// RFC 6455 7.4: those a peer may put on the wire.
bool is_sendable_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

// How many bytes follow this lead byte, and the smallest character that needs that many; nothing for a stray byte.
struct utf8_lead {
  int more;
  std::uint32_t smallest;
  std::uint32_t bits;
};
std::optional<utf8_lead> read_lead(std::uint8_t byte) {
  if (byte < 0x80) return utf8_lead{0, 0, byte};
  if ((byte & 0xE0) == 0xC0) return utf8_lead{1, 0x80, byte & 0x1Fu};
  if ((byte & 0xF0) == 0xE0) return utf8_lead{2, 0x800, byte & 0x0Fu};
  if ((byte & 0xF8) == 0xF0) return utf8_lead{3, 0x10000, byte & 0x07u};
  return std::nullopt;
}

} // namespace

std::size_t write_frame_header(char* out, frame_kind kind, std::uint64_t payload_bytes) {
  out[0] = static_cast<char>(final_bit | static_cast<std::uint8_t>(kind));
  if (payload_bytes < 126) {
    out[1] = static_cast<char>(payload_bytes);
    return 2;
  }
  auto length_bytes = payload_bytes <= 0xFFFF ? 2 : 8;
  out[1] = static_cast<char>(length_bytes == 2 ? 126 : 127);
  for (int i = 0; i < length_bytes; ++i)
    out[2 + i] = static_cast<char>((payload_bytes >> (8 * (length_bytes - 1 - i))) & 0xFF);
  return 2 + static_cast<std::size_t>(length_bytes);
}

std::string control_frame(frame_kind kind, std::string_view payload) {
  payload = payload.substr(0, max_control_payload_bytes);
  char header[max_frame_header_bytes];
  std::string result{header, write_frame_header(header, kind, payload.size())};
  result += payload;
  return result;
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
  if (code == close_code_none) return control_frame(frame_kind::close, {});
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += utf8_prefix(reason, max_control_payload_bytes - payload.size());
  return control_frame(frame_kind::close, payload);
}

std::optional<close_payload> read_close_payload(std::string_view payload) {
  if (payload.empty()) return close_payload{};
  if (payload.size() < 2) return std::nullopt;
  auto high = static_cast<std::uint8_t>(payload[0]);
  auto low = static_cast<std::uint8_t>(payload[1]);
  auto code = static_cast<std::uint16_t>((high << 8) | low);
  auto reason = payload.substr(2);
  if (!is_sendable_code(code) || !is_utf8(reason)) return std::nullopt;
  return close_payload{code, std::string{reason}};
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    // Commands are nearly always ASCII: eight bytes at a time while they are.
    std::uint64_t eight = 0;
    if (text.size() - i >= sizeof eight) {
      std::memcpy(&eight, text.data() + i, sizeof eight);
      if ((eight & 0x8080808080808080u) == 0) {
        i += sizeof eight;
        continue;
      }
    }
    auto lead = read_lead(static_cast<std::uint8_t>(text[i++]));
    if (!lead || text.size() - i < static_cast<std::size_t>(lead->more)) return false;
    auto character = lead->bits;
    for (int k = 0; k < lead->more; ++k) {
      auto byte = static_cast<std::uint8_t>(text[i++]);
      if ((byte & 0xC0) != 0x80) return false;
      character = (character << 6) | (byte & 0x3Fu);
    }
    bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    if (character < lead->smallest || character > 0x10FFFF || surrogate) return false;
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<std::uint8_t>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::optional<frame_reader::message> frame_reader::next(std::string_view& input) {
  while (violation_.empty()) {
    if (!in_payload_ && !take_header(input)) return std::nullopt;
    auto kind = static_cast<frame_kind>(header_[0] & 0x0F);
    auto& target = is_control(kind) ? control_ : text_;
    auto piece = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), length_ - taken_)));
    input.remove_prefix(piece.size());
    const auto* mask = header_.data() + header_size_ - mask_bytes;
    auto old_size = target.size();
    target.append(piece);
    for (std::size_t i = 0; i < piece.size(); ++i)
      target[old_size + i] = static_cast<char>(target[old_size + i] ^ mask[(taken_ + i) % mask_bytes]);
    taken_ += piece.size();
    if (taken_ < length_) return std::nullopt;
    if (auto result = complete()) return result;
  }
  return std::nullopt;
}

// True once the header is whole and legal.
bool frame_reader::take_header(std::string_view& input) {
  while (header_size_ < header_needed_) {
    if (input.empty()) return false;
    header_[header_size_++] = static_cast<std::uint8_t>(input.front());
    input.remove_prefix(1);
    if (header_size_ != 2) continue;
    auto short_length = header_[1] & 0x7F;
    auto length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
    header_needed_ = static_cast<std::uint8_t>(2 + static_cast<std::size_t>(length_bytes) + mask_bytes);
    // A frame without a mask is refused here: its header is shorter than what we would wait for.
    if ((header_[1] & mask_bit) == 0) violation_ = "a frame without a mask";
    if (!violation_.empty()) return false;
  }
  check_header();
  in_payload_ = violation_.empty();
  return in_payload_;
}

void frame_reader::check_header() {
  length_ = header_[1] & 0x7F;
  if (length_ >= 126) {
    length_ = 0;
    for (std::size_t i = 2; i + mask_bytes < header_size_; ++i) length_ = (length_ << 8) | header_[i];
  }
  taken_ = 0;
  auto kind = static_cast<frame_kind>(header_[0] & 0x0F);
  bool is_final = (header_[0] & final_bit) != 0;
  if ((header_[0] & reserved_bits) != 0) {
    violation_ = "reserved bits are set, and no extension was agreed on";
  } else if (is_control(kind)) {
    if (kind != frame_kind::close && kind != frame_kind::ping && kind != frame_kind::pong)
      violation_ = "a frame of unknown kind";
    else if (!is_final || length_ > max_control_payload_bytes)
      violation_ = "a control frame that is fragmented or over 125 bytes";
  } else if (kind == frame_kind::binary) {
    violation_ = "a binary frame, and only text is understood";
  } else if (kind != frame_kind::text && kind != frame_kind::continuation) {
    violation_ = "a frame of unknown kind";
  } else if ((kind == frame_kind::continuation) != in_message_) {
    violation_ = in_message_ ? "a new message before the last is complete" : "a continuation of nothing";
  } else if (length_ > max_message_bytes_ || text_.size() + length_ > max_message_bytes_) {
    violation_ = "a message over the size limit";
  } else {
    in_message_ = true;
  }
}

// The frame is whole: a message if it was the last of one.
std::optional<frame_reader::message> frame_reader::complete() {
  auto kind = static_cast<frame_kind>(header_[0] & 0x0F);
  bool is_final = (header_[0] & final_bit) != 0;
  header_size_ = 0;
  header_needed_ = 2;
  in_payload_ = false;
  if (is_control(kind)) return message{kind, std::exchange(control_, {})};
  if (!is_final) return std::nullopt;
  in_message_ = false;
  if (!is_utf8(text_)) {
    violation_ = "text that is not UTF-8";
    return std::nullopt;
  }
  return message{frame_kind::text, std::exchange(text_, {})};
}

} // namespace finstream
