#include "runtime/log/line.hpp"

namespace finstream::log {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

// Length of the UTF-8 character at text[i], 0 where the bytes are none.
std::size_t character_length(std::string_view text, std::size_t i) {
  auto byte = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u; };
  auto tail = [&](std::size_t k) { return (byte(k) & 0xc0u) == 0x80u; };
  auto first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    auto too_long = first == 0xe0 && byte(1) < 0xa0;
    auto surrogate = first == 0xed && byte(1) > 0x9f;
    return tail(1) && tail(2) && !too_long && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    auto too_long = first == 0xf0 && byte(1) < 0x90;
    auto too_large = first == 0xf4 && byte(1) > 0x8f;
    return tail(1) && tail(2) && tail(3) && !too_long && !too_large ? 4 : 0;
  }
  return 0;
}

// C0, DEL, and U+0080 to U+009F, which some terminals obey as well; and U+2028 and U+2029, which some readers take for
// the end of a line.
bool is_control(std::string_view c) {
  auto byte = [&](std::size_t k) { return static_cast<unsigned char>(c[k]); };
  if (c.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  if (c.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
  return c.size() == 3 && byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9);
}

void append_hex(std::string& out, std::string_view prefix, unsigned value, int digits) {
  out += prefix;
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += hex_digits[(value >> shift) & 0xf];
}

// Walks `text` by characters: `plain` gets what can stand as it is, `control` a code point, `invalid` a byte.
template <class Plain, class Control, class Invalid>
void each_character(std::string_view text, Plain plain, Control control, Invalid invalid) {
  for (std::size_t i = 0; i < text.size();) {
    auto length = character_length(text, i);
    auto c = text.substr(i, length == 0 ? 1 : length);
    auto byte = [&](std::size_t k) { return static_cast<unsigned char>(c[k]); };
    if (length == 0) {
      invalid(static_cast<unsigned>(byte(0)));
    } else if (!is_control(c)) {
      plain(c);
    } else if (length == 3) {
      control(byte(2) == 0xa8 ? 0x2028u : 0x2029u);
    } else {
      control(static_cast<unsigned>(byte(length - 1))); // in two bytes, U+0080 to U+009F, the last is the code point
    }
    i += c.size();
  }
}

void append_human(std::string& out, std::string_view text) {
  auto control = [&](unsigned code) {
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\r') {
      out += "\\r";
    } else if (code > 0xff) {
      append_hex(out, "\\u", code, 4);
    } else {
      append_hex(out, "\\x", code, 2);
    }
  };
  each_character(
    text, [&](std::string_view c) { out += c; }, control, [&](unsigned byte) { append_hex(out, "\\x", byte, 2); });
}

void append_json(std::string& out, std::string_view text) {
  auto plain = [&](std::string_view c) {
    if (c == "\"" || c == "\\") out += '\\';
    out += c;
  };
  auto control = [&](unsigned code) {
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\r') {
      out += "\\r";
    } else {
      append_hex(out, "\\u", code, 4);
    }
  };
  each_character(text, plain, control, [&](unsigned) { out += "\xef\xbf\xbd"; }); // JSON has no way to say a byte
}

struct level_face {
  std::string_view name, padded, colour;
};

level_face face(level severity) {
  switch (severity) {
  case level::trace: return {"trace", "TRACE", "\x1b[2m"};
  case level::debug: return {"debug", "DEBUG", "\x1b[2m"};
  case level::info: return {"info", "INFO ", "\x1b[32m"};
  case level::warning: return {"warning", "WARN ", "\x1b[33m"};
  case level::error: return {"error", "ERROR", "\x1b[1;31m"};
  }
  return {"error", "ERROR", ""};
}

} // namespace

std::string human_line(const line& x, bool colour) {
  // Milliseconds are what a person can use, and a column that is always as wide.
  char time[32];
  auto whole = floor_to(x.at, second);
  auto milliseconds = static_cast<unsigned>((x.at - whole) / millisecond);
  std::string_view digits{time, static_cast<std::size_t>(write_timestamp(time, whole) - time)};
  std::string out;
  out.reserve(48 + x.component.size() + x.text.size());
  out.append(digits.substr(0, 10)).append(" ").append(digits.substr(11, 8)).append(".");
  for (unsigned unit = 100; unit > 0; unit /= 10) out += static_cast<char>('0' + milliseconds / unit % 10);
  out += ' ';
  auto shown = face(x.severity);
  if (colour) out += shown.colour;
  out += shown.padded;
  if (colour) out += "\x1b[0m";
  out += ' ';
  append_human(out, x.component);
  out += "  ";
  append_human(out, x.text);
  out += '\n';
  return out;
}

std::string json_line(const line& x) {
  std::string out;
  out.reserve(80 + x.component.size() + x.text.size());
  out += "{\"ts\":\"";
  out += to_string(x.at);
  out += "\",\"level\":\"";
  out += face(x.severity).name;
  out += "\",\"component\":\"";
  append_json(out, x.component);
  out += "\",\"text\":\"";
  append_json(out, x.text);
  out += "\"}\n";
  return out;
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string{text};
  auto kept = limit;
  while (kept > 0 && limit - kept < 4 && (static_cast<unsigned char>(text[kept]) & 0xc0u) == 0x80u) --kept;
  return std::string{text.substr(0, kept)} + " ... (" + std::to_string(text.size() - kept) + " bytes more)";
}

} // namespace finstream::log
