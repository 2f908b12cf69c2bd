#include "messages/codec/json.hpp"

#include <charconv>
#include <cmath>

namespace finstream {

namespace {

void append_name(std::string& out, const char* name) {
  if (out.back() != '{') out += ',';
  out += '"';
  out += name;
  out += "\":";
}
void append_text_field(std::string& out, const char* name, std::string_view value) {
  append_name(out, name);
  append_json_string(out, value);
}
void append_decimal_field(std::string& out, const char* name, decimal value) {
  append_name(out, name);
  append_json_decimal(out, value);
}
void append_integer_field(std::string& out, const char* name, std::int64_t value) {
  append_name(out, name);
  append_json_integer(out, value);
}
void append_time_field(std::string& out, const char* name, timestamp value) {
  append_name(out, name);
  append_json_timestamp(out, value);
}

void append_double_field(std::string& out, const char* name, double value) {
  append_name(out, name);
  append_json_double(out, value);
}
void append_optional_double(std::string& out, const std::optional<double>& value) {
  value ? append_json_double(out, *value) : void(out += "null");
}

void append_position(std::string& out, std::string_view position) {
  if (!position.empty()) append_text_field(out, "pos", position);
}

std::string hex(std::uint64_t x) {
  char buffer[17];
  std::snprintf(buffer, sizeof(buffer), "%016llx", static_cast<unsigned long long>(x));
  return buffer;
}

void append_values(std::string& out, event_kind kind, const std::array<std::int64_t, 5>& values) {
  static constexpr const char* names[3][5] = {
    {"price", "size", "", "", ""}, {"o", "h", "l", "c", "v"}, {"bid", "ask", "bid_size", "ask_size", ""}};
  auto& mine = names[static_cast<int>(kind)];
  for (std::size_t i = 0; i < 5 && *mine[i] != '\0'; ++i) append_decimal_field(out, mine[i], {values[i]});
}

// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
std::size_t character_size(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  auto first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return follows(1) ? 2 : 0;
  // Not longer than need be, not half of a surrogate pair, not beyond U+10FFFF.
  if ((first & 0xF0) == 0xE0) {
    auto possible = (first != 0xE0 || second >= 0xA0) && (first != 0xED || second < 0xA0);
    return possible && follows(1) && follows(2) ? 3 : 0;
  }
  auto possible =
    first >= 0xF0 && first < 0xF5 && (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second < 0x90);
  return possible && follows(1) && follows(2) && follows(3) ? 4 : 0;
}

constexpr std::string_view replacement_character = "\xef\xbf\xbd"; // U+FFFD

// The text between the quotes. What is not UTF-8 is replaced: what leaves is JSON, whatever came.
void append_escaped(std::string& out, std::string_view text) {
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    auto size = c < 0x80 ? 1 : character_size(text.substr(i));
    if (c >= 0x20 && c != '"' && c != '\\' && size != 0) {
      i += size;
      continue;
    }
    out += text.substr(plain, i - plain);
    plain = ++i;
    if (c == '"' || c == '\\') {
      out += '\\', out += static_cast<char>(c);
    } else if (c >= 0x80) {
      out += replacement_character;
    } else {
      char buffer[8];
      std::snprintf(buffer, sizeof(buffer), "\\u%04x", c);
      out += buffer;
    }
  }
  out += text.substr(plain);
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void append_json_decimal(std::string& out, decimal value) {
  char buffer[24];
  out.append(buffer, write_decimal(buffer, value));
}

void append_json_notional(std::string& out, notional value) { out += to_string(value); }

void append_json_double(std::string& out, double value) {
  if (!std::isfinite(value)) return void(out += "null");
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
}

void append_json_integer(std::string& out, std::int64_t value) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
}

void append_json_timestamp(std::string& out, timestamp value) {
  char buffer[34];
  buffer[0] = '"';
  auto* end = write_timestamp(buffer + 1, value);
  *end++ = '"';
  out.append(buffer, end);
}

void append_tick_json(std::string& out, const event_batch& batch, const event_row& row, std::string_view position) {
  auto& key = (*batch.keys)[row.key];
  out += R"({"type":")";
  out += to_string(row.kind);
  out += '"';
  append_name(out, "channel");
  out += "\"ticks.";
  append_escaped(out, key.symbol);
  out += '"';
  append_position(out, position);
  append_text_field(out, "provider", key.provider);
  append_text_field(out, "symbol", key.symbol);
  if (row.kind == event_kind::bar) append_text_field(out, "interval", batch.intervals[row.interval]);
  append_time_field(out, "src_ts", row.src_ts);
  append_time_field(out, "ingest_ts", batch.ingest_ts);
  append_integer_field(out, "seq", row.seq);
  append_values(out, row.kind, row.values);
  out += '}';
}

void append_market_event_json(std::string& out, const market_event& x) {
  out += '{';
  append_integer_field(out, "ver", x.ver);
  append_text_field(out, "provider", x.provider);
  append_text_field(out, "symbol", x.symbol);
  append_text_field(out, "kind", to_string(x.kind));
  if (!x.interval.empty()) append_text_field(out, "interval", x.interval);
  append_time_field(out, "src_ts", x.src_ts);
  append_time_field(out, "ingest_ts", x.ingest_ts);
  append_values(out, x.kind, x.values);
  append_integer_field(out, "seq", x.seq);
  append_text_field(out, "event_id", event_id({x.provider, x.symbol}, x.src_ts, x.seq));
  out += '}';
}

void append_bar_json(std::string& out, const bar& x, std::string_view position) {
  auto interval = span_to_string(x.interval);
  out += R"({"type":"bar")";
  append_text_field(out, "channel", "bars." + interval + "." + x.symbol);
  append_position(out, position);
  append_text_field(out, "provider", x.provider);
  append_text_field(out, "symbol", x.symbol);
  append_text_field(out, "interval", interval);
  append_time_field(out, "start", x.start);
  append_time_field(out, "end", x.end);
  append_decimal_field(out, "open", x.open);
  append_decimal_field(out, "high", x.high);
  append_decimal_field(out, "low", x.low);
  append_decimal_field(out, "close", x.close);
  append_decimal_field(out, "volume", x.volume);
  if (x.vwap) {
    append_decimal_field(out, "vwap", *x.vwap);
  } else {
    append_name(out, "vwap");
    out += "null";
  }
  append_name(out, "notional");
  append_json_notional(out, x.traded);
  append_integer_field(out, "trades", static_cast<std::int64_t>(x.trades));
  append_time_field(out, "first_ts", x.first_ts);
  append_time_field(out, "last_ts", x.last_ts);
  append_integer_field(out, "revision", x.revision);
  append_text_field(out, "state", to_string(x.state));
  append_decimal_field(out, "coverage", x.coverage);
  append_text_field(out, "flags", flags_to_string(x.flags));
  append_text_field(out, "reason", x.reason);
  append_integer_field(out, "first_offset", static_cast<std::int64_t>(x.first_offset));
  append_integer_field(out, "last_offset", static_cast<std::int64_t>(x.last_offset));
  append_text_field(out, "schema", hex(x.schema));
  append_text_field(out, "config_hash", hex(x.config_hash));
  out += '}';
}

void append_end_of_interval_json(std::string& out, const end_of_interval& x, std::string_view position) {
  auto interval = span_to_string(x.interval);
  out += R"({"type":"end_of_interval")";
  append_text_field(out, "channel", "bars." + interval + ".*");
  append_position(out, position);
  append_text_field(out, "provider", x.provider);
  append_text_field(out, "interval", interval);
  append_time_field(out, "start", x.start);
  append_time_field(out, "end", x.end);
  append_text_field(out, "reason", to_string(x.reason));
  out += '}';
}

void append_features_json(std::string& out, const feature_vector& x, std::string_view position) {
  out += R"({"type":"features")";
  append_text_field(out, "channel", "features." + x.symbol);
  append_position(out, position);
  append_text_field(out, "provider", x.provider);
  append_text_field(out, "symbol", x.symbol);
  append_text_field(out, "interval", span_to_string(x.interval));
  append_time_field(out, "start", x.start);
  append_time_field(out, "end", x.end);
  append_decimal_field(out, "close", x.close);
  append_integer_field(out, "revision", x.revision);
  append_integer_field(out, "inputs_revision", x.inputs_revision);
  append_name(out, "features");
  out += '{';
  for (auto& v : x.values) {
    if (out.back() != '{') out += ',';
    append_json_string(out, v.name);
    out += ":{";
    append_name(out, "value");
    if (v.exact)
      append_json_decimal(out, *v.exact);
    else
      append_optional_double(out, v.value);
    append_integer_field(out, "n", static_cast<std::int64_t>(v.n));
    append_name(out, "warm");
    out += v.warm ? "true" : "false";
    append_time_field(out, "window_start", v.window_start);
    append_time_field(out, "window_end", x.end);
    append_integer_field(out, "inputs_revision", v.inputs_revision);
    if (v.flat) append_name(out, "flat"), out += "true";
    if (v.factor) append_name(out, "factor"), append_json_double(out, *v.factor);
    out += '}';
  }
  out += '}';
  append_integer_field(out, "first_offset", static_cast<std::int64_t>(x.first_offset));
  append_integer_field(out, "last_offset", static_cast<std::int64_t>(x.last_offset));
  append_text_field(out, "schema", hex(x.schema));
  append_text_field(out, "config_hash", hex(x.config_hash));
  out += '}';
}

void append_signal_json(std::string& out, const signal& x, std::string_view position) {
  out += R"({"type":"signal")";
  append_text_field(out, "channel", "signals." + x.symbol);
  append_position(out, position);
  append_integer_field(out, "ver", x.ver);
  append_text_field(out, "signal_id", x.signal_id);
  append_text_field(out, "provider", x.provider);
  append_text_field(out, "symbol", x.symbol);
  append_time_field(out, "ts", x.ts);
  append_text_field(out, "name", x.name);
  append_double_field(out, "value", x.value);
  append_double_field(out, "score", x.score);
  append_text_field(out, "adapter", x.adapter);
  append_text_field(out, x.adapter == "rules" ? "rule_hash" : "model_hash", hex(x.maker));
  append_name(out, "meta");
  out += '{';
  append_text_field(out, "window", span_to_string(x.interval));
  append_decimal_field(out, "price", x.close);
  append_time_field(out, "bar_start", x.bar_start);
  append_integer_field(out, "bar_revision", x.bar_revision);
  append_time_field(out, "inputs_start", x.inputs_start);
  append_name(out, "inputs");
  out += '{';
  for (auto& input : x.inputs) {
    if (out.back() != '{') out += ',';
    append_json_string(out, input.name);
    out += ':';
    append_optional_double(out, input.value);
  }
  out += "}}";
  append_integer_field(out, "first_offset", static_cast<std::int64_t>(x.first_offset));
  append_integer_field(out, "last_offset", static_cast<std::int64_t>(x.last_offset));
  append_text_field(out, "schema", hex(x.schema));
  append_text_field(out, "config_hash", hex(x.config_hash));
  out += '}';
}

void append_derived_json(std::string& out, const derived& x, std::string_view position) {
  if (auto* b = std::get_if<bar>(&x)) return append_bar_json(out, *b, position);
  if (auto* e = std::get_if<end_of_interval>(&x)) return append_end_of_interval_json(out, *e, position);
  if (auto* f = std::get_if<feature_vector>(&x)) return append_features_json(out, *f, position);
  append_signal_json(out, std::get<signal>(x), position);
}

void append_job_run_json(std::string& out, const job_run& x) {
  out += R"({"type":"job_run")";
  append_text_field(out, "id", x.id);
  append_text_field(out, "kind", to_string(x.kind));
  append_time_field(out, "started", x.started);
  if (x.ended) append_time_field(out, "ended", *x.ended);
  append_text_field(out, "status", to_string(x.status));
  append_integer_field(out, "rows", static_cast<std::int64_t>(x.rows));
  append_text_field(out, "config_hash", hex(x.config_hash));
  append_text_field(out, "detail", x.detail);
  out += '}';
}

void append_sys_event_json(std::string& out, const sys_event& x) {
  out += R"({"type":"status","channel":"status")";
  append_text_field(out, "kind", to_string(x.kind));
  append_time_field(out, "at", x.at);
  append_text_field(out, "subject", x.subject);
  append_text_field(out, "reason", x.reason);
  out += '}';
}

std::string position_text(std::uint64_t epoch, std::uint32_t partition, std::uint64_t offset) {
  return std::to_string(epoch) + "-" + std::to_string(partition) + "-" + std::to_string(offset);
}

} // namespace finstream
