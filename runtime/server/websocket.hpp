// One WebSocket after its handshake. Its frames are written straight to the socket by the I/O thread: Beast's stream
// would allocate an operation for each write, pass on at most 64 pieces of a frame per system call, and hold 1.5 KiB
// for reading per connection. Here an idle connection is this object and one wait for the socket to become readable.
//
//   open -> finishing (our close frame waits for the queue) -> lingering (it is out; the peer's is awaited) -> gone
#pragma once

#include "runtime/server/frames.hpp"
#include "runtime/server/send_queue.hpp"
#include "runtime/server/server_core.hpp"

namespace finstream {

class websocket final : public connection, public std::enable_shared_from_this<websocket> {
public:
  websocket(std::shared_ptr<server_core> core, tcp::socket socket, std::uint64_t id);

  // From any thread.
  std::uint64_t id() const override { return id_; }
  std::string peer() const override;
  void send(block_ptr what) override;
  void handled() override;
  void close(close_code code, std::string reason) override;
  connection_statistics statistics() const override;

  // I/O thread only.
  void open(std::string_view early_bytes);
  bool enqueue(const outgoing_ptr& what, nanoseconds now); // true if a flush would be of use
  void flush();
  void close_after_queue(close_code code, std::string reason, nanoseconds now); // what was sent before goes out first
  void close_now(close_code code, std::string reason, nanoseconds now);         // what is queued is dropped
  void abort(std::string_view reason);                                          // no handshake, no waiting
  void sweep(nanoseconds now);
  bool belongs_to(const server_core& core) const { return core_.get() == &core; }

  std::size_t slot = 0;  // in the core's table
  bool is_dirty = false; // in the core's list of those with something to write

private:
  enum class phase : std::uint8_t { open, finishing, lingering, gone };
  void wait_readable();
  void resume_reading();
  void on_readable();
  void take_bytes(std::string_view input, nanoseconds now);
  void on_message(frame_reader::message x, nanoseconds now);
  void on_peer_close(std::string_view payload, nanoseconds now);
  void lose(std::string_view why);
  void wait_writable();
  void write_all();
  void choose_control();
  void on_written(bool was_control, std::size_t bytes);
  void begin_close(std::uint16_t code, const std::string& reason, std::string frame, nanoseconds now);
  void judge(nanoseconds now);
  enum class parting : std::uint8_t { orderly, reset };
  void end(parting how);

  std::shared_ptr<server_core> core_;
  tcp::socket socket_;
  std::uint64_t id_;
  tcp::endpoint peer_;
  frame_reader reader_;
  send_queue queue_;

  phase phase_ = phase::open;
  bool blocked_ = false; // the socket is full, and a wait for it is under way
  bool warned_ = false;  // since the queue was last low
  bool reading_paused_ = false;
  bool awaiting_pong_ = false;
  bool ping_wanted_ = false;
  bool pong_wanted_ = false;
  bool peer_closed_ = false; // its close frame is here
  std::string pong_payload_; // of the latest ping: RFC 6455 5.5.3 lets us leave out the others
  std::string close_frame_;  // to be sent when the queue is empty
  std::string control_;      // a control frame that is going out
  std::size_t control_sent_ = 0;
  nanoseconds next_ping_ = 0;
  nanoseconds deadline_ = 0; // of the pong, or of the close handshake

  std::atomic<int> pending_texts_{0};

  // Written by the I/O thread alone.
  std::atomic<std::uint64_t> queued_bytes_{0}, sent_bytes_{0}, sent_records_{0}, writes_{0};
};

// Null for a connection of another server: one that has ended, and whose owner has yet to hear of it.
websocket* as_websocket(connection& x, const server_core& core);

} // namespace finstream
