// HTTP and WebSocket for clients, on one port. Beast lives in this folder and is seen nowhere else. The server knows
// requests, connections and bytes; what they mean is said by its owner through `server_events`.
//
// Sending: a `block` is one or more complete JSON objects, comma-separated and without brackets, encoded once and
// shared by all who get it. What is queued for a connection goes out as one text frame "[block,block,...]" per write,
// as many blocks as fit, so that a burst costs one system call and not one per record. A slow client: at `warn_share`
// of the limit `on_slow_warning` is called once, and what it returns goes out before what is queued; at the limit, or
// when the oldest block is older than `max_queue_age`, the connection is closed with 4008 and nothing is sent after
// that.
//
// Hearing: each text frame must be confirmed with `handled()`. While `max_pending_texts` are not, the connection is not
// read, and a client that says more than its owner can hear comes to wait in its own write.
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

struct http_request {
  std::string method;                       // "GET"
  std::string path;                         // "/v1/bars", percent-decoded
  std::map<std::string, std::string> query; // percent-decoded
  std::string body;
  std::string content_type{};
};
struct http_response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};
// RFC 7807: `code` gives name and whether it is temporary. The server answers its own refusals with these too.
http_response problem(int status, errc code, std::string_view detail);

using respond =
  std::function<void(http_response)>; // once, from any thread; a deadline answers 503 if it is never called

// Close codes of CONVENTIONS 8. 4000-4499: come back. 4500-4899: do not. DO NOT CHANGE THESE VALUES.
enum class close_code : std::uint16_t {
  normal = 1000,
  shutdown = 4001,
  slow_client = 4008,
  no_pong = 4012,
  limit_exceeded = 4505,
  protocol_error = 4520,
  killed_by_admin = 4530,
};

struct block {
  std::string text;          // "{...},{...}"
  std::uint32_t records = 1; // objects in it
  nanoseconds born = 0;      // monotonic time, for the queue's age
};
using block_ptr = std::shared_ptr<const block>;

struct connection_statistics {
  std::uint64_t queued_bytes = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t sent_records = 0;
  std::uint64_t writes = 0;
};

class connection {
public:
  virtual ~connection() = default;
  virtual std::uint64_t id() const = 0;
  virtual std::string peer() const = 0;  // "127.0.0.1:51234"
  virtual void send(block_ptr what) = 0; // from any thread; dropped once it is closing
  virtual void handled() = 0;            // from any thread, once for each on_text
  virtual void close(close_code code, std::string reason) = 0;
  virtual connection_statistics statistics() const = 0;
};
using connection_ptr = std::shared_ptr<connection>;

// Called on the server's own thread: return at once.
struct server_events {
  std::function<void(http_request, respond)> on_request;
  std::function<void(connection_ptr)> on_open;                     // a WebSocket is ready
  std::function<void(const connection_ptr&, std::string)> on_text; // a text frame from it
  std::function<block_ptr(const connection_ptr&, std::uint64_t queued_bytes, nanoseconds age)>
    on_slow_warning;                                                                            // or null
  std::function<void(const connection_ptr&, std::uint16_t code, std::string reason)> on_closed; // last call for it
  std::function<void()> on_room; // is_backed_up() was true and is false again
};

struct server_options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0; // 0: any free one
  std::string websocket_path = "/v1/stream";
  std::string subprotocol = "finstream.v1.json";
  std::size_t max_connections = 10'000;
  std::size_t max_frame_bytes = 64 * 1024; // from a client; more is 4520
  int max_pending_texts = 64;              // of one connection; what one read brings may go beyond
  std::size_t max_body_bytes = 64 * 1024;  // of an HTTP request
  std::size_t max_queue_bytes = 1 << 20;   // per connection
  nanoseconds max_queue_age = 5 * second;
  double warn_share = 0.5;
  std::size_t max_write_bytes = 128 * 1024; // per system call
  nanoseconds ping_interval = 25 * second;
  nanoseconds pong_deadline = 8 * second;
  nanoseconds request_deadline = 10 * second; // for a request to come in, to be handled, and for the answer to go out
  nanoseconds close_deadline = 2 * second;    // for the peer's part of the close handshake
  nanoseconds slow_close_deadline =
    10 * second;                              // the same for a slow client: it has to read what the kernel holds first
  int kernel_buffer_bytes = 256 * 1024;       // for sending, per connection: what lies there no warning can overtake
  std::size_t max_waiting_bytes = 512 * 1024; // of what was delivered and not yet queued: then is_backed_up()
  std::uint64_t first_connection = 1;         // numbers go on from here
};

struct server_statistics {
  std::uint64_t connections = 0; // WebSockets open now
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0; // over max_connections
  std::uint64_t sent_records = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t writes = 0;
  std::uint64_t slow_closed = 0;
  std::uint64_t handovers_waiting = 0; // calls of deliver, send and close that the server's thread has not seen yet
};

struct delivery {
  block_ptr what;
  std::shared_ptr<const std::vector<connection_ptr>> to; // those of another server are passed over
};

class server {
public:
  // Closes everything at once and waits for the server's thread: not to be destroyed on it. No callback comes after
  // this; connections and `respond`s that outlive it do nothing.
  virtual ~server() = default;
  virtual std::uint16_t port() const = 0;
  // One block to many connections, with one hand-over to the server's thread.
  virtual void deliver(block_ptr what, std::shared_ptr<const std::vector<connection_ptr>> to) = 0;
  // Many at once: nobody is written to before all of it is queued, so it costs one system call per connection.
  virtual void deliver(std::vector<delivery> all) = 0;
  // More waits for the server's thread than max_waiting_bytes. Nothing is refused; who delivers should hold back until
  // on_room is called.
  virtual bool is_backed_up() const = 0;
  // Stops accepting, closes every connection with 4001, and returns when they are gone or `deadline` has passed.
  virtual void stop(nanoseconds deadline) = 0;
  virtual server_statistics statistics() const = 0;
};

// Whether a server could listen there now. Errors: io_failure (address in use, no such address).
expected<void> try_to_listen(const std::string& address, std::uint16_t port);
// Errors: io_failure (address in use, no such address).
expected<std::unique_ptr<server>> start_server(const server_options& options, server_events events);

} // namespace finstream
