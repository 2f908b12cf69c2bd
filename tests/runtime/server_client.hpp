// A client made of a bare blocking socket, so that a test can send what no well-behaved library would; and the server's
// owner, who writes down what he is told.
#pragma once

#include "runtime/server/frames.hpp"
#include "runtime/server/server.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

namespace finstream::test {

inline constexpr std::chrono::seconds patience{60}; // how long a test waits for what must happen

struct received_frame {
  frame_kind kind = frame_kind::text;
  std::string payload;
};

inline std::string masked_frame(frame_kind kind, std::string_view payload, bool is_final = true) {
  char header[max_frame_header_bytes];
  std::string result{header, write_frame_header(header, kind, payload.size())};
  if (!is_final) result[0] = static_cast<char>(result[0] & 0x7F);
  result[1] = static_cast<char>(result[1] | 0x80);
  const std::string mask = "\x12\x34\x56\x78";
  result += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) result += static_cast<char>(payload[i] ^ mask[i % 4]);
  return result;
}

class raw_client {
public:
  explicit raw_client(std::uint16_t port, int receive_buffer_bytes = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    timeval limit{static_cast<time_t>(patience.count()), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  raw_client(raw_client&& other) noexcept
    : socket_{std::exchange(other.socket_, -1)}, connected_{other.connected_}, unread_{std::move(other.unread_)} {}
  ~raw_client() { leave(); }

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send_text(std::string_view text) { return send(masked_frame(frame_kind::text, text)); }

  // Everything up to the end of the stream, or nothing if it did not end.
  std::optional<std::string> read_to_end() {
    while (auto more = read_some()) {
      if (*more == 0) return std::exchange(unread_, {});
    }
    return std::nullopt;
  }
  // A response with its body; empty if the stream ended first.
  std::string read_response(bool has_body = true) {
    auto end = std::string::npos;
    while ((end = unread_.find("\r\n\r\n")) == std::string::npos)
      if (read_some().value_or(0) == 0) return {};
    end += 4;
    auto length = unread_.find("Content-Length: ");
    if (has_body && length < end) end += static_cast<std::size_t>(std::atoi(unread_.c_str() + length + 16));
    while (unread_.size() < end)
      if (read_some().value_or(0) == 0) return {};
    auto result = unread_.substr(0, end);
    unread_.erase(0, end);
    return result;
  }
  std::optional<received_frame> read_frame() {
    auto need = [this](std::size_t size) {
      while (unread_.size() < size)
        if (read_some().value_or(0) == 0) return false;
      return true;
    };
    if (!need(2)) return std::nullopt;
    std::uint64_t size = static_cast<unsigned char>(unread_[1]);
    std::size_t header = size == 127 ? 10 : size == 126 ? 4 : 2;
    if (!need(header)) return std::nullopt;
    if (header > 2) size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | static_cast<unsigned char>(unread_[i]);
    if (!need(header + size)) return std::nullopt;
    received_frame result{static_cast<frame_kind>(unread_[0] & 0x0F), unread_.substr(header, size)};
    unread_.erase(0, header + size);
    return result;
  }
  // The code and reason of the close frame, which must be the last thing in the stream; pongs and texts before it are
  // skipped.
  std::string read_close() {
    while (auto frame = read_frame()) {
      if (frame->kind != frame_kind::close) continue;
      auto said = read_close_payload(frame->payload);
      send(masked_frame(frame_kind::close, frame->payload));
      auto rest = read_to_end();
      if (!rest || !rest->empty()) return "something after the close frame";
      return said ? std::to_string(said->code) + " " + said->reason : "an illegal close frame";
    }
    return "no close frame";
  }
  std::string upgrade(std::string_view more_headers = "", std::string_view early_bytes = "") {
    send("GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string{more_headers} + "\r\n" + std::string{early_bytes});
    return read_response();
  }
  void leave() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void reset() { // with RST instead of FIN
    linger hard{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    leave();
  }

private:
  std::optional<std::size_t> read_some() {
    char buffer[65536];
    auto size = ::recv(socket_, buffer, sizeof buffer, 0);
    if (size < 0) return errno == ECONNRESET ? std::optional<std::size_t>{0} : std::nullopt;
    unread_.append(buffer, static_cast<std::size_t>(size));
    return static_cast<std::size_t>(size);
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string unread_;
};

// For what nobody is told of, such as a counter.
template <class F> bool eventually(const F& condition) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

inline block_ptr make_block(std::string text) { return std::make_shared<const block>(block{std::move(text), 1, 0}); }

// What the server said to its owner, and a way to wait until it has said it.
class owner {
public:
  struct closing {
    std::uint64_t id;
    std::uint16_t code;
    std::string reason;
  };

  server_events events() {
    server_events result;
    result.on_open = [this](connection_ptr x) { note([&] { open_.push_back(std::move(x)); }); };
    result.on_text = [this](const connection_ptr& x, std::string text) {
      note([&] { texts_.push_back(std::move(text)); });
      if (confirms) x->handled();
    };
    result.on_slow_warning = [this](const connection_ptr& x, std::uint64_t, nanoseconds) {
      note([&] { warned_.push_back(x->id()); });
      return make_block(R"({"type":"slow_warning"})");
    };
    result.on_closed = [this](const connection_ptr& x, std::uint16_t code, std::string reason) {
      note([&] { closed_.push_back({x->id(), code, std::move(reason)}); });
    };
    return result;
  }
  connection_ptr wait_for_connection(std::size_t index) {
    wait([&] { return open_.size() > index; });
    std::lock_guard lock{mutex_};
    return open_.size() > index ? open_[index] : nullptr;
  }
  bool wait_for_closings(std::size_t count) {
    return wait([&] { return closed_.size() >= count; });
  }
  bool wait_for_texts(std::size_t count) {
    return wait([&] { return texts_.size() >= count; });
  }
  bool wait_for_warnings(std::size_t count) {
    return wait([&] { return warned_.size() >= count; });
  }
  std::string first_closing() {
    if (!wait_for_closings(1)) return "nothing was closed";
    auto first = closings().front();
    return std::to_string(first.code) + " " + first.reason;
  }

  // Copies of what has been said so far.
  std::vector<connection_ptr> connections() { return copy(open_); }
  std::vector<std::string> texts() { return copy(texts_); }
  std::vector<std::uint64_t> warnings() { return copy(warned_); }
  std::vector<closing> closings() { return copy(closed_); }
  std::shared_ptr<const std::vector<connection_ptr>> everyone() {
    return std::make_shared<const std::vector<connection_ptr>>(connections());
  }

  bool confirms = true; // what it hears; to be set before the server starts

private:
  void note(const std::function<void()>& what) {
    std::lock_guard lock{mutex_};
    what();
    changed_.notify_all();
  }
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, condition);
  }
  template <class T> T copy(const T& what) {
    std::lock_guard lock{mutex_};
    return what;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<connection_ptr> open_;
  std::vector<std::string> texts_;
  std::vector<std::uint64_t> warned_;
  std::vector<closing> closed_;
};

inline std::unique_ptr<server> must_start(const server_options& options, server_events events) {
  auto result = start_server(options, std::move(events));
  ensure(result.has_value(), "test: the server must start");
  return std::move(*result);
}

} // namespace finstream::test
