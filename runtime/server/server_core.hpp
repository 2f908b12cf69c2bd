// What the sessions of one server share: the I/O thread's loop, the inbox through which other threads reach it, and the
// tables of who is connected. Everything below `I/O thread only` is touched by that thread and needs no lock.
//
// The pump: a hand-over from another thread goes to the inbox and, if the pump is not already under way, wakes the I/O
// thread. A turn of the pump queues *all* of the inbox to its connections, then writes to a few of those that now have
// something to say, and looks at the inbox again. So a burst becomes few large frames however it was cut into calls,
// and when nothing is going on a record leaves at once: there is no timer in this path.
#pragma once

#include "runtime/server/send_queue.hpp"
#include "runtime/server/server.hpp"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <variant>

namespace finstream {

using boost::asio::ip::tcp;

class websocket;
using websocket_ptr = std::shared_ptr<websocket>;

// A connection that has not become a WebSocket.
class http_connection {
public:
  virtual ~http_connection() = default;
  virtual void sweep(nanoseconds now) = 0; // look at the deadline
  virtual void finish_soon() = 0;          // the server stops: after the answer under way, if there is one
  virtual void abort() = 0;

  std::size_t slot = 0; // in its table
};
using http_connection_ptr = std::shared_ptr<http_connection>;

// Connections in no order, with removal in one step.
template <class T> class table {
public:
  void add(std::shared_ptr<T> x) {
    x->slot = all_.size();
    all_.push_back(std::move(x));
  }
  void remove(T& x) {
    ensure(x.slot < all_.size() && all_[x.slot].get() == &x, "table: removing what is not in it");
    auto slot = x.slot;
    auto removed = std::move(all_[slot]); // alive until the table is in order again
    if (slot + 1 != all_.size()) {
      all_[slot] = std::move(all_.back());
      all_[slot]->slot = slot;
    }
    all_.pop_back();
  }
  std::size_t size() const { return all_.size(); }
  std::vector<std::shared_ptr<T>> snapshot() const { return all_; } // for loops whose body may remove

private:
  std::vector<std::shared_ptr<T>> all_;
};

struct send_one {
  block_ptr what;
  websocket_ptr to;
};
struct close_one {
  websocket_ptr which;
  close_code code;
  std::string reason;
};
using handover = std::variant<delivery, send_one, close_one>;

class server_core : public std::enable_shared_from_this<server_core> {
public:
  server_core(const server_options& options, server_events events);

  // From any thread. False once the server is gone.
  bool submit(handover what);
  void submit(std::vector<delivery> all);
  bool run_soon(std::function<void()> what); // on the I/O thread
  bool is_backed_up() const;
  server_statistics statistics() const;
  bool wait_until_empty(nanoseconds deadline); // after stop_all: until no connection is left

  // I/O thread only, from here on.
  void start();
  void run(); // returns after shut_down, when the last handler is done
  void stop_all();
  void shut_down();
  void adopt(tcp::socket socket, std::string_view early_bytes); // a WebSocket whose handshake is done
  bool is_full() const { return websockets.size() + upgrades_under_way >= options.max_connections; }
  void remove(websocket& x);
  void remove(http_connection& x);

  // Calls one of server_events. What it throws is its own fault, and is logged.
  template <class F, class... Ts> bool notify(const F& callback, Ts&&... xs) {
    try {
      if (callback) callback(std::forward<Ts>(xs)...);
      return true;
    } catch (const std::exception& e) {
      report_throw(e.what());
      return false;
    }
  }

  const server_options options;
  const server_events events;
  boost::asio::io_context io{1};
  table<websocket> websockets;
  table<http_connection> https;
  std::size_t upgrades_under_way = 0;
  bool stopping = false;
  std::function<void()> on_room;     // the listener's: a socket was closed
  std::function<void()> on_shutdown; // the listener's
  std::vector<char> read_buffer;     // one for all: what is read is parsed before anything else is read
  std::vector<iovec> write_pieces;   // one for all

  // Written by the I/O thread alone.
  struct counters {
    std::atomic<std::uint64_t> connections{0}, accepted{0}, refused{0}, sent_records{0}, sent_bytes{0}, writes{0},
      slow_closed{0};
  } counts;

private:
  void pump();
  void take_inbox();
  void note_waiting(const handover& what);
  std::size_t take_run(std::size_t first, nanoseconds now);
  void sweep();
  void schedule_sweep();
  void check_empty();
  static void report_throw(const char* what);

  std::uint64_t next_id_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer sweep_timer_;
  std::vector<websocket_ptr> dirty_; // from first_dirty_ on, in the order in which they became so
  std::size_t first_dirty_ = 0;
  std::vector<handover> taken_;         // from the inbox, kept for its capacity
  std::vector<std::string_view> texts_; // of a run in the making
  bool is_shut_ = false;

  mutable std::mutex mutex_; // for what is below
  std::condition_variable emptied_;
  std::vector<handover> inbox_;
  std::atomic<bool> inbox_filled_{false};
  std::size_t waiting_bytes_ = 0; // in the inbox
  bool backed_up_ = false;        // since it was last emptied
  bool pump_scheduled_ = false;
  bool gone_ = false;
  bool empty_ = false;
};

// A counter that one thread writes and any thread reads needs no read-modify-write.
inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

// http_session.cpp
http_connection_ptr start_http_session(std::shared_ptr<server_core> core, tcp::socket socket);
// listener.cpp
expected<std::uint16_t> start_listener(const std::shared_ptr<server_core>& core);

} // namespace finstream
