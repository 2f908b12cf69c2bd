// Values and events -> JSON, into a string. Numbers are exact decimals written as JSON numbers; doubles in the shortest
// form that reads back the same.
#pragma once

#include "messages/event/derived.hpp"
#include "messages/event/job_run.hpp"
#include "messages/event/market_event.hpp"
#include "messages/event/sys_event.hpp"

#include <string>
#include <string_view>

namespace finstream {

void append_json_string(std::string& out, std::string_view text); // with its quotes, escaped
void append_json_decimal(std::string& out, decimal value);
void append_json_notional(std::string& out, notional value); // exact, in up to 18 places
void append_json_double(std::string& out, double value); // the shortest that reads back the same; null if not finite
void append_json_integer(std::string& out, std::int64_t value);
void append_json_timestamp(std::string& out, timestamp value); // with its quotes

// As the v1 contract writes it: {"ver":1,"provider":"ibkr","symbol":"SPY","kind":"tick", ...}
void append_market_event_json(std::string& out, const market_event& x);

// The object without its surroundings: {"type":"tick","channel":"ticks.SPY","pos":"1-4711", ...}; without "pos" where
// there is no position.
void append_tick_json(std::string& out, const event_batch& batch, const event_row& row, std::string_view position);
void append_bar_json(std::string& out, const bar& x, std::string_view position);
void append_end_of_interval_json(std::string& out, const end_of_interval& x, std::string_view position);
void append_features_json(std::string& out, const feature_vector& x, std::string_view position);
void append_signal_json(std::string& out, const signal& x, std::string_view position);
void append_derived_json(std::string& out, const derived& x, std::string_view position); // as its kind is
void append_job_run_json(std::string& out, const job_run& x);
void append_sys_event_json(std::string& out, const sys_event& x);

// "1-0-4711": epoch, partition and offset, opaque to clients.
std::string position_text(std::uint64_t epoch, std::uint32_t partition, std::uint64_t offset);

} // namespace finstream
