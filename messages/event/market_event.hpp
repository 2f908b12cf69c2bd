// The v1 stream event: a trade (tick), a bar made elsewhere, or a quote. Two forms: `market_event`, whole and readable,
// for tools and tests; and `event_batch`, the form of the hot path, which holds each name once and each event in 64
// bytes.
#pragma once

#include "messages/field.hpp"
#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// DO NOT CHANGE THESE VALUES: they are in the log.
enum class event_kind : std::uint8_t { tick = 0, bar = 1, quote = 2 };
std::string_view to_string(event_kind kind);

// What a row's `values` mean, by kind, all in units of 1e-9:
//   tick   price, size
//   bar    open, high, low, close, volume
//   quote  bid, ask, bid_size, ask_size
struct event_row {
  timestamp src_ts;     // when it happened
  std::int64_t seq = 0; // with provider, symbol and src_ts: the event's identity
  std::array<std::int64_t, 5> values{};
  std::uint32_t key = 0; // index into event_batch::keys
  event_kind kind = event_kind::tick;
  std::uint8_t interval = 0; // index into event_batch::intervals; 0 means none

  friend bool operator==(const event_row&, const event_row&) = default;
};
static_assert(sizeof(event_row) == 64);

// Whose and what: bars are made per key.
struct series_key {
  std::string provider;
  std::string symbol;

  friend auto operator<=>(const series_key&, const series_key&) = default;
};

// Where a feed is to go on after a restart: what it said on its last appended line.
struct resume_point {
  std::string token; // the feed's own; empty if it gives none
  timestamp src_ts;
  std::int64_t seq = 0;

  friend bool operator==(const resume_point&, const resume_point&) = default;
};

// Rows of one feed for one partition, in the order of its lines. Immutable once it is shared.
struct event_batch {
  std::string feed;
  timestamp ingest_ts;                                 // when the runtime read these lines
  std::shared_ptr<const std::vector<series_key>> keys; // grows by copy; rows index into it
  std::vector<std::string> intervals{""};              // of bar events, such as "1s"; [0] is none
  std::vector<event_row> rows;
};
using batch_ptr = std::shared_ptr<const event_batch>;

// One event with everything spelled out, as the v1 contract writes it.
struct market_event {
  std::uint32_t ver = 1;
  std::string provider;
  std::string symbol;
  event_kind kind = event_kind::tick;
  std::string interval; // of bar events
  timestamp src_ts;
  timestamp ingest_ts;
  std::int64_t seq = 0;
  std::array<std::int64_t, 5> values{}; // as in event_row

  friend bool operator==(const market_event&, const market_event&) = default;
};
template <of<market_event> X, class F> decltype(auto) fields(X& x, F&& f) {
  return f(field{"ver", x.ver}, field{"provider", x.provider}, field{"symbol", x.symbol}, field{"kind", x.kind},
           field{"interval", x.interval}, field{"src_ts", x.src_ts}, field{"ingest_ts", x.ingest_ts},
           field{"seq", x.seq}, field{"values", x.values});
}

market_event spell_out(const event_batch& batch, const event_row& row);
// provider|symbol|src_ts|seq
std::string event_id(const series_key& key, timestamp src_ts, std::int64_t seq);

} // namespace finstream
