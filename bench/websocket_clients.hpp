// Many WebSocket clients in one process, as cheap as they can be made, so that a fan-out benchmark measures the server
// and not its clients: one thread, epoll, one shared buffer, records of one known size counted from the frames'
// lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace finstream::bench {

// A record is "{"type":"tick","t":<19 digits>,...}" of exactly this size; t is CLOCK_MONOTONIC at hand-over.
inline constexpr std::size_t record_bytes = 150;
std::string make_record(std::int64_t stamp_ns);
std::int64_t monotonic_ns();

struct client_order {
  enum kind : std::uint32_t { connect, connect_raw, expect, report, quit } what = quit;
  std::uint32_t port = 0;
  std::uint32_t clients = 0;
  std::uint32_t time_each = 0; // note each record's latency
  std::uint64_t records = 0;   // expect: answered once every client has had this many more
};
struct client_answer {
  std::uint64_t lost = 0; // clients whose connection ended
  std::uint64_t deliveries = 0;
  double p50_us = 0, p90_us = 0, p99_us = 0, max_us = 0;
};

// Runs in a process of its own: obeys orders from `control` and answers each one, until `quit` or the end of it.
void run_clients(int control);
// The other end: sends an order, waits for the answer.
client_answer ask_clients(int control, const client_order& order);

} // namespace finstream::bench
