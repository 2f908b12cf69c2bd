#include "runtime/server/websocket.hpp"

#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

namespace finstream {

namespace {

// One piece, the usual case, is cheaper to send without a list of it.
ssize_t send_pieces(int socket, std::span<iovec> pieces) {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (pieces.size() == 1) return ::send(socket, pieces[0].iov_base, pieces[0].iov_len, flags);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return ::sendmsg(socket, &message, flags);
}

} // namespace

websocket::websocket(std::shared_ptr<server_core> core, tcp::socket socket, std::uint64_t id)
  : core_{std::move(core)}, socket_{std::move(socket)}, id_{id}, reader_{core_->options.max_frame_bytes} {
  boost::system::error_code gone_already; // then the first read says so
  peer_ = socket_.remote_endpoint(gone_already);
}

websocket* as_websocket(connection& x, const server_core& core) {
  auto& result = static_cast<websocket&>(x);
  return result.belongs_to(core) ? &result : nullptr;
}

// From any thread.

std::string websocket::peer() const {
  auto address = peer_.address().to_string();
  return peer_.address().is_v6() ? fmt::format("[{}]:{}", address, peer_.port())
                                 : fmt::format("{}:{}", address, peer_.port());
}

void websocket::send(block_ptr what) {
  if (what && !what->text.empty()) core_->submit(send_one{std::move(what), shared_from_this()});
}

void websocket::handled() {
  if (pending_texts_.fetch_sub(1) == core_->options.max_pending_texts)
    core_->run_soon([self = shared_from_this()] { self->resume_reading(); });
}

void websocket::close(close_code code, std::string reason) {
  core_->submit(close_one{shared_from_this(), code, std::move(reason)});
}

connection_statistics websocket::statistics() const {
  auto read = [](const std::atomic<std::uint64_t>& x) { return x.load(std::memory_order_relaxed); };
  return {read(queued_bytes_), read(sent_bytes_), read(sent_records_), read(writes_)};
}

// Reading.

void websocket::open(std::string_view early_bytes) {
  auto now = system_clock().monotonic();
  next_ping_ = now + core_->options.ping_interval;
  auto self = shared_from_this();
  core_->notify(core_->events.on_open, self);
  take_bytes(early_bytes, now);
  if (phase_ != phase::gone) wait_readable();
}

void websocket::wait_readable() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](boost::system::error_code error) {
    if (!error && self->phase_ != phase::gone) self->on_readable();
  });
}

void websocket::resume_reading() {
  if (!std::exchange(reading_paused_, false) || phase_ == phase::gone) return;
  // Its pong may have been waiting for us.
  if (awaiting_pong_) deadline_ = system_clock().monotonic() + core_->options.pong_deadline;
  wait_readable();
}

void websocket::on_readable() {
  auto& buffer = core_->read_buffer;
  auto received = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (received > 0) {
    take_bytes({buffer.data(), static_cast<std::size_t>(received)}, system_clock().monotonic());
  } else if (received == 0) {
    lose("the peer went away without a close frame");
  } else if (errno != EAGAIN && errno != EINTR) {
    lose(std::strerror(errno));
  }
  // One that is closing is read to its end all the same: nobody hears what it says.
  reading_paused_ = phase_ == phase::open && pending_texts_ >= core_->options.max_pending_texts;
  if (phase_ != phase::gone && !reading_paused_) wait_readable();
}

void websocket::take_bytes(std::string_view input, nanoseconds now) {
  while (phase_ != phase::gone) {
    auto message = reader_.next(input);
    if (!message) break;
    on_message(std::move(*message), now);
  }
  // After a violation the rest of the stream means nothing: it is read and thrown away until the peer has gone.
  if (phase_ == phase::open && !reader_.violation().empty())
    close_now(close_code::protocol_error, fmt::format("protocol_error: {}", reader_.violation()), now);
  if (pong_wanted_ && !blocked_) write_all();
}

void websocket::on_message(frame_reader::message x, nanoseconds now) {
  switch (x.kind) {
  case frame_kind::text:
    if (phase_ != phase::open) break;
    ++pending_texts_;
    core_->notify(core_->events.on_text, shared_from_this(), std::move(x.payload));
    break;
  case frame_kind::ping:
    pong_payload_ = std::move(x.payload);
    pong_wanted_ = true;
    break;
  case frame_kind::pong:
    if (phase_ != phase::open || !awaiting_pong_) break;
    awaiting_pong_ = false;
    next_ping_ = now + core_->options.ping_interval;
    break;
  case frame_kind::close: on_peer_close(x.payload, now); break;
  case frame_kind::continuation:
  case frame_kind::binary: break; // the reader makes neither
  }
}

void websocket::on_peer_close(std::string_view payload, nanoseconds now) {
  auto said = read_close_payload(payload);
  peer_closed_ = true;
  if (phase_ == phase::lingering) {
    end(parting::orderly);
  } else if (phase_ == phase::open && said) {
    queue_.drop_waiting();
    begin_close(said->code, said->reason, close_frame(said->code, {}), now);
  } else if (phase_ == phase::open) {
    close_now(close_code::protocol_error, "protocol_error: a close frame with an illegal code or reason", now);
  }
}

// Writing.

bool websocket::enqueue(const outgoing_ptr& what, nanoseconds now) {
  if (phase_ != phase::open) return false;
  queue_.push(what);
  // A socket that takes it all is no slow client, however large the burst: write before judging.
  if (!blocked_ && queue_.bytes() > core_->options.max_write_bytes) write_all();
  queued_bytes_.store(queue_.bytes(), std::memory_order_relaxed);
  if (blocked_) judge(now);
  return phase_ == phase::open && !blocked_ && !queue_.empty();
}

void websocket::flush() {
  if (!blocked_) write_all();
}

void websocket::wait_writable() {
  blocked_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](boost::system::error_code error) {
    self->blocked_ = false;
    if (error || self->phase_ == phase::gone) return;
    self->write_all();
    self->judge(system_clock().monotonic());
  });
}

// Writes until nothing is left or the socket is full. A control frame goes between two data frames, never into one.
void websocket::write_all() {
  auto& pieces = core_->write_pieces;
  while (phase_ == phase::open || phase_ == phase::finishing) {
    if (control_.empty() && !queue_.mid_frame()) choose_control();
    bool is_control = !control_.empty();
    if (!is_control && queue_.empty()) break;
    std::size_t count = 1;
    if (is_control)
      pieces[0] = {control_.data() + control_sent_, control_.size() - control_sent_};
    else
      count = queue_.pieces(std::span<iovec, max_frame_pieces>{pieces}, core_->options.max_write_bytes);
    auto sent = send_pieces(socket_.native_handle(), {pieces.data(), count});
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return lose(std::strerror(errno));
    if (sent > 0) on_written(is_control, static_cast<std::size_t>(sent));
    // What is still half out did not fit.
    if (sent < 0 || !control_.empty() || queue_.mid_frame()) {
      wait_writable();
      break;
    }
  }
  queued_bytes_.store(queue_.bytes(), std::memory_order_relaxed);
}

void websocket::choose_control() {
  control_sent_ = 0;
  if (std::exchange(pong_wanted_, false)) {
    control_ = control_frame(frame_kind::pong, std::exchange(pong_payload_, {}));
  } else if (std::exchange(ping_wanted_, false)) {
    control_ = control_frame(frame_kind::ping, {});
  } else if (phase_ == phase::finishing && queue_.empty()) {
    control_ = close_frame_;
  }
}

void websocket::on_written(bool was_control, std::size_t bytes) {
  add(writes_, 1);
  add(sent_bytes_, bytes);
  add(core_->counts.writes, 1);
  add(core_->counts.sent_bytes, bytes);
  if (!was_control) {
    auto records = queue_.advance(bytes);
    add(sent_records_, records);
    add(core_->counts.sent_records, records);
    return;
  }
  control_sent_ += bytes;
  if (control_sent_ < control_.size()) return;
  bool was_close = phase_ == phase::finishing && control_ == close_frame_;
  control_ = {};
  if (!was_close) return;
  if (peer_closed_) return end(parting::orderly);
  phase_ = phase::lingering;
  boost::system::error_code gone_already; // then the read that is under way says so
  socket_.shutdown(tcp::socket::shutdown_send, gone_already);
}

// Warns once, and closes, when the queue is too long or too old.
void websocket::judge(nanoseconds now) {
  if (phase_ != phase::open) return;
  const auto& limits = core_->options;
  auto bytes = queue_.bytes();
  auto age = queue_.empty() ? 0 : std::max<nanoseconds>(0, now - queue_.oldest());
  if (bytes > limits.max_queue_bytes || age > limits.max_queue_age) {
    add(core_->counts.slow_closed, 1);
    close_now(
      close_code::slow_client,
      fmt::format("slow_client: queued {} of {} bytes, oldest {} ms", bytes, limits.max_queue_bytes, age / millisecond),
      now);
    return;
  }
  auto share = std::max(static_cast<double>(bytes) / static_cast<double>(limits.max_queue_bytes),
                        static_cast<double>(age) / static_cast<double>(limits.max_queue_age));
  if (share < limits.warn_share / 2) warned_ = false;
  if (share < limits.warn_share || std::exchange(warned_, true)) return;
  block_ptr warning;
  std::function<void()> ask = [&] { warning = core_->events.on_slow_warning(shared_from_this(), bytes, age); };
  if (!core_->events.on_slow_warning || !core_->notify(ask) || !warning) return;
  std::string_view text = warning->text;
  // Born with the oldest: it makes the queue no younger.
  queue_.push_first(std::make_shared<const outgoing>(std::span{&text, 1}, warning->records, queue_.oldest()));
}

// Closing.

void websocket::close_after_queue(close_code code, std::string reason, nanoseconds now) {
  auto number = static_cast<std::uint16_t>(code);
  if (phase_ == phase::open) begin_close(number, reason, close_frame(number, reason), now);
}

void websocket::close_now(close_code code, std::string reason, nanoseconds now) {
  queue_.drop_waiting();
  close_after_queue(code, std::move(reason), now);
}

// The owner is told at once: for it the connection is over.
void websocket::begin_close(std::uint16_t code, const std::string& reason, std::string frame, nanoseconds now) {
  phase_ = phase::finishing;
  close_frame_ = std::move(frame);
  resume_reading();
  auto slow = code == static_cast<std::uint16_t>(close_code::slow_client);
  deadline_ = now + (slow ? core_->options.slow_close_deadline : core_->options.close_deadline);
  core_->notify(core_->events.on_closed, shared_from_this(), code, reason);
  if (!blocked_) write_all();
}

void websocket::lose(std::string_view why) {
  if (std::exchange(phase_, phase::lingering) == phase::open)
    core_->notify(core_->events.on_closed, shared_from_this(), close_code_lost, std::string{why});
  end(parting::orderly);
}

void websocket::abort(std::string_view reason) {
  if (phase_ == phase::open) close_now(close_code::shutdown, std::string{reason}, system_clock().monotonic());
  if (phase_ != phase::gone) end(parting::orderly);
}

void websocket::end(parting how) {
  phase_ = phase::gone;
  queue_ = {};
  queued_bytes_.store(0, std::memory_order_relaxed);
  boost::system::error_code gone_already;
  // What the kernel still holds for a peer that does not read would otherwise stay there for minutes.
  if (how == parting::reset) socket_.set_option(tcp::socket::linger{true, 0}, gone_already);
  socket_.close(gone_already);
  core_->remove(*this);
}

void websocket::sweep(nanoseconds now) {
  const auto& options = core_->options;
  switch (phase_) {
  case phase::gone: return;
  case phase::finishing:
  case phase::lingering:
    if (now >= deadline_) end(parting::reset);
    return;
  case phase::open: break;
  }
  if (blocked_) judge(now);
  if (phase_ != phase::open) return;
  if (awaiting_pong_ && !reading_paused_ && now >= deadline_)
    return close_now(close_code::no_pong, fmt::format("no_pong: none in {}", span_to_string(options.pong_deadline)),
                     now);
  if (awaiting_pong_ || now < next_ping_) return;
  awaiting_pong_ = ping_wanted_ = true;
  deadline_ = now + options.pong_deadline;
  flush();
}

} // namespace finstream
