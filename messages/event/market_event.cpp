#include "messages/event/market_event.hpp"

namespace finstream {

std::string_view to_string(event_kind kind) {
  switch (kind) {
  case event_kind::tick: return "tick";
  case event_kind::bar: return "bar";
  case event_kind::quote: return "quote";
  }
  return "unknown";
}

market_event spell_out(const event_batch& batch, const event_row& row) {
  market_event out;
  const auto& key = (*batch.keys)[row.key];
  out.provider = key.provider;
  out.symbol = key.symbol;
  out.kind = row.kind;
  out.interval = batch.intervals[row.interval];
  out.src_ts = row.src_ts;
  out.ingest_ts = batch.ingest_ts;
  out.seq = row.seq;
  out.values = row.values;
  return out;
}

std::string event_id(const series_key& key, timestamp src_ts, std::int64_t seq) {
  return key.provider + "|" + key.symbol + "|" + to_string(src_ts) + "|" + std::to_string(seq);
}

} // namespace finstream
