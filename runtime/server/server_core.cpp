#include "runtime/server/server_core.hpp"

#include "runtime/clock/clock.hpp"
#include "runtime/log/log.hpp"
#include "runtime/server/websocket.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace finstream {

namespace {

constexpr std::size_t read_buffer_bytes = 64 * 1024;
// Between two looks at the inbox: few, so that what arrives during a broadcast to many still travels with it.
constexpr std::size_t writes_per_look = 16;
// Between two looks at the sockets: about a millisecond.
constexpr std::size_t looks_per_turn = 12;
// Deadlines are kept to an eighth of the shortest of them, within these.
constexpr nanoseconds shortest_sweep = 5 * millisecond;
constexpr nanoseconds longest_sweep = 250 * millisecond;

nanoseconds sweep_period(const server_options& x) {
  auto shortest = std::min({x.ping_interval, x.pong_deadline, x.max_queue_age, x.request_deadline, x.close_deadline});
  return std::clamp(shortest / 8, shortest_sweep, longest_sweep);
}

} // namespace

server_core::server_core(const server_options& wanted, server_events callbacks)
  : options{wanted}, events{std::move(callbacks)}, read_buffer(read_buffer_bytes),
    write_pieces(max_frame_pieces), next_id_{wanted.first_connection}, work_{boost::asio::make_work_guard(io)},
    sweep_timer_{io} {}

// From any thread.

bool server_core::submit(handover what) {
  bool must_wake = false;
  {
    std::lock_guard lock{mutex_};
    if (gone_) return false;
    note_waiting(what);
    inbox_.push_back(std::move(what));
    inbox_filled_.store(true, std::memory_order_relaxed);
    must_wake = !std::exchange(pump_scheduled_, true);
  }
  if (must_wake) boost::asio::post(io, [this] { pump(); });
  return true;
}

void server_core::submit(std::vector<delivery> all) {
  if (all.empty()) return;
  bool must_wake = false;
  {
    std::lock_guard lock{mutex_};
    if (gone_) return;
    for (auto& x : all) {
      inbox_.emplace_back(std::move(x));
      note_waiting(inbox_.back());
    }
    inbox_filled_.store(true, std::memory_order_relaxed);
    must_wake = !std::exchange(pump_scheduled_, true);
  }
  if (must_wake) boost::asio::post(io, [this] { pump(); });
}

// Under the lock.
void server_core::note_waiting(const handover& what) {
  if (const auto* x = std::get_if<delivery>(&what)) waiting_bytes_ += x->what->text.size();
  if (const auto* x = std::get_if<send_one>(&what)) waiting_bytes_ += x->what->text.size();
  if (waiting_bytes_ > options.max_waiting_bytes) backed_up_ = true;
}

bool server_core::is_backed_up() const {
  std::lock_guard lock{mutex_};
  return backed_up_;
}

bool server_core::run_soon(std::function<void()> what) {
  {
    std::lock_guard lock{mutex_};
    if (gone_) return false;
  }
  boost::asio::post(io, std::move(what));
  return true;
}

server_statistics server_core::statistics() const {
  auto read = [](const std::atomic<std::uint64_t>& x) { return x.load(std::memory_order_relaxed); };
  server_statistics result;
  result.connections = read(counts.connections);
  result.accepted = read(counts.accepted);
  result.refused = read(counts.refused);
  result.sent_records = read(counts.sent_records);
  result.sent_bytes = read(counts.sent_bytes);
  result.writes = read(counts.writes);
  result.slow_closed = read(counts.slow_closed);
  std::lock_guard lock{mutex_};
  result.handovers_waiting = inbox_.size();
  return result;
}

bool server_core::wait_until_empty(nanoseconds deadline) {
  std::unique_lock lock{mutex_};
  return emptied_.wait_for(lock, std::chrono::nanoseconds{deadline}, [this] { return empty_; });
}

// On the I/O thread.

void server_core::start() { schedule_sweep(); }

void server_core::run() {
  try {
    io.run();
  } catch (const std::exception& e) {
    stop_on_bug(e.what());
  }
}

void server_core::stop_all() {
  if (stopping) return;
  stopping = true;
  if (on_shutdown) on_shutdown();
  auto now = system_clock().monotonic();
  for (auto& x : https.snapshot()) x->finish_soon();
  for (auto& x : websockets.snapshot()) x->close_now(close_code::shutdown, "shutdown: the server stops", now);
  check_empty();
}

void server_core::shut_down() {
  {
    std::lock_guard lock{mutex_};
    gone_ = true;
  }
  stopping = is_shut_ = true;
  if (on_shutdown) on_shutdown();
  on_room = on_shutdown = nullptr;
  take_inbox();
  for (auto& x : https.snapshot()) x->abort();
  for (auto& x : websockets.snapshot()) x->abort("shutdown: the server stops");
  dirty_.clear();
  first_dirty_ = 0;
  sweep_timer_.cancel();
  work_.reset();
}

void server_core::adopt(tcp::socket socket, std::string_view early_bytes) {
  auto x = std::make_shared<websocket>(shared_from_this(), std::move(socket), next_id_++);
  websockets.add(x);
  add(counts.accepted, 1);
  counts.connections.store(websockets.size(), std::memory_order_relaxed);
  x->open(early_bytes);
}

void server_core::remove(websocket& x) {
  websockets.remove(x);
  counts.connections.store(websockets.size(), std::memory_order_relaxed);
  if (on_room) on_room();
  check_empty();
}

void server_core::remove(http_connection& x) {
  https.remove(x);
  if (on_room) on_room();
  check_empty();
}

void server_core::check_empty() {
  if (!stopping || websockets.size() + https.size() + upgrades_under_way > 0) return;
  {
    std::lock_guard lock{mutex_};
    empty_ = true;
  }
  emptied_.notify_all();
}

void server_core::pump() {
  for (std::size_t look = 0; look < looks_per_turn; ++look) {
    if (inbox_filled_.load(std::memory_order_relaxed)) take_inbox();
    for (std::size_t n = 0; n < writes_per_look && first_dirty_ < dirty_.size(); ++n) {
      auto x = std::move(dirty_[first_dirty_++]);
      x->is_dirty = false;
      x->flush();
    }
    if (first_dirty_ == dirty_.size()) break;
  }
  dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(first_dirty_));
  first_dirty_ = 0;
  if (dirty_.empty()) {
    std::lock_guard lock{mutex_};
    if (inbox_.empty()) {
      pump_scheduled_ = false;
      return;
    }
  }
  boost::asio::post(io, [this] { pump(); });
}

void server_core::take_inbox() {
  bool has_room = false;
  {
    std::lock_guard lock{mutex_};
    taken_.swap(inbox_);
    inbox_filled_.store(false, std::memory_order_relaxed);
    waiting_bytes_ = 0;
    has_room = std::exchange(backed_up_, false);
  }
  auto now = system_clock().monotonic();
  for (std::size_t i = 0; i < taken_.size();) {
    if (auto* close = std::get_if<close_one>(&taken_[i])) {
      close->which->close_after_queue(close->code, std::move(close->reason), now);
      ++i;
    } else {
      i = take_run(i, now);
    }
  }
  taken_.clear();
  if (has_room) notify(events.on_room);
}

// Hand-overs that follow one another and have the same receivers become one batch, up to what one write may hold.
// Returns the index behind them.
std::size_t server_core::take_run(std::size_t first, nanoseconds now) {
  const auto* many = std::get_if<delivery>(&taken_[first]);
  const auto* one = std::get_if<send_one>(&taken_[first]);
  auto next_block = [&](std::size_t i) -> const block* {
    if (const auto* x = std::get_if<delivery>(&taken_[i])) return many && x->to == many->to ? x->what.get() : nullptr;
    if (const auto* x = std::get_if<send_one>(&taken_[i])) return one && x->to == one->to ? x->what.get() : nullptr;
    return nullptr;
  };
  std::size_t bytes = 0;
  std::uint64_t records = 0;
  nanoseconds oldest = 0;
  auto end = first;
  for (; end < taken_.size(); ++end) {
    const auto* block = next_block(end);
    if (!block || (end > first && bytes + block->text.size() + 1 > options.max_write_bytes)) break;
    bytes += block->text.size() + 1;
    records += block->records;
    auto born = block->born == 0 ? now : block->born;
    oldest = end == first ? born : std::min(oldest, born);
    texts_.push_back(block->text);
  }
  auto made = std::make_shared<const outgoing>(texts_, records, oldest);
  texts_.clear();
  auto give = [&](websocket& x) {
    if (x.enqueue(made, now) && !std::exchange(x.is_dirty, true)) dirty_.push_back(x.shared_from_this());
  };
  if (one) give(*one->to);
  if (many)
    for (const auto& x : *many->to)
      if (auto* mine = as_websocket(*x, *this)) give(*mine);
  return end;
}

void server_core::schedule_sweep() {
  sweep_timer_.expires_after(std::chrono::nanoseconds{sweep_period(options)});
  sweep_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) sweep();
  });
}

// Every deadline of every connection is looked at here: one timer instead of several for each.
void server_core::sweep() {
  if (is_shut_) return; // the timer had gone off before it could be cancelled
  auto now = system_clock().monotonic();
  for (auto& x : https.snapshot()) x->sweep(now);
  for (auto& x : websockets.snapshot()) x->sweep(now);
  schedule_sweep();
}

void server_core::report_throw(const char* what) { log::error("server", "a callback threw: {}", what); }

} // namespace finstream
