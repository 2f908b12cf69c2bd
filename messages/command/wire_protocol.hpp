// Every message between a WebSocket client and a node, as data: docs/websocket_messages.md is printed from it, and a
// session names the actions there are when it refuses one.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace finstream {

struct wire_message {
  std::string_view from; // client or node
  std::string_view name; // its "action" or "type"
  std::string_view fields;
  std::string_view meaning;
};

inline std::span<const wire_message> wire_protocol() {
  static constexpr std::array<wire_message, 14> all{{
    {"client", "subscribe", "id?, channels", "add these channels; answered by `subscribed`"},
    {"client", "unsubscribe", "id?, channels", "drop these channels; answered by `unsubscribed`"},
    {"client", "ping", "id?", "answered by `pong`"},
    {"client", "hello", "id?", "answered by `hello` again"},
    {"node", "hello", "node, version, protocol, session, epoch, limits", "first message of a connection"},
    {"node", "subscribed", "id?, channels", "the whole effective list; data comes after it"},
    {"node", "unsubscribed", "id?, channels", "the whole effective list"},
    {"node", "pong", "id?, ts", "the node's time"},
    {"node", "error", "id?, code, name, temporary, message", "a command was refused; see errors.md"},
    {"node", "slow_warning", "queued, limit, age_ms",
     "half of the send queue is full: read faster, or be closed with 4008"},
    {"node", "tick, bar, quote", "channel, pos, provider, symbol, src_ts, ingest_ts, seq, prices and sizes",
     "an event, on channel `ticks.<symbol>`"},
    {"node", "bar", "channel, pos, and the fields of a bar", "a finished bar, on channel `bars.<interval>.<symbol>`"},
    {"node", "end_of_interval", "channel, pos, provider, interval, start, end, reason",
     "nothing more comes for this interval of this provider"},
    {"node", "status", "channel, kind, at, subject, reason", "the system's announcements, on channel `status`"},
  }};
  return all;
}

// "subscribe, unsubscribe, ping or hello"
inline std::string wire_actions() {
  std::string out;
  for (auto& m : wire_protocol())
    if (m.from == "client") out += (out.empty() ? "" : ", ") + std::string{m.name};
  return out;
}

} // namespace finstream
