#include "bench/websocket_clients.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace finstream::bench {

namespace {

constexpr std::string_view record_head = R"({"type":"tick","t":)";
constexpr std::size_t stamp_digits = 19;
constexpr std::size_t read_bytes = 512 * 1024;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

struct client {
  int socket = -1;
  std::uint64_t received = 0;
  std::uint64_t wanted = 0;
  std::uint64_t skip = 0; // of the payload of the frame that is coming in, when records are only counted
  std::uint64_t skipped_records = 0;
  std::string carry; // the part of a frame that is here, when each record is looked at
};

class client_set {
public:
  explicit client_set(int control) : control_{control}, buffer_(read_bytes) {}

  void run() {
    client_order order;
    while (::read(control_, &order, sizeof order) == static_cast<ssize_t>(sizeof order) &&
           order.what != client_order::quit) {
      switch (order.what) {
      case client_order::connect: connect(order, true); break;
      case client_order::connect_raw: connect(order, false); break;
      case client_order::expect: expect(order.records); break;
      case client_order::report: break;
      case client_order::quit: break;
      }
      auto answer = order.what == client_order::report ? report() : client_answer{lost_, 0, 0, 0, 0, 0};
      if (::write(control_, &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) give_up("answer");
    }
  }

private:
  void connect(const client_order& order, bool handshake) {
    epoll_ = ::epoll_create1(0);
    time_each_ = order.time_each != 0;
    clients_.resize(order.clients);
    for (auto& x : clients_) {
      x.socket = ::socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(order.port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (::connect(x.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
      int on = 1;
      ::setsockopt(x.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (handshake) shake_hands(x.socket);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &x;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, x.socket, &event);
    }
  }

  static void shake_hands(int socket) {
    constexpr std::string_view request = "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                         "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                         "Sec-WebSocket-Version: 13\r\n\r\n";
    if (::send(socket, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) give_up("handshake");
    std::string response;
    while (!response.ends_with("\r\n\r\n")) {
      char c = 0;
      if (::recv(socket, &c, 1, 0) != 1) give_up("handshake");
      response += c;
    }
    if (!response.starts_with("HTTP/1.1 101")) give_up("handshake refused");
  }

  void expect(std::uint64_t records) {
    std::size_t missing = 0;
    for (auto& x : clients_) {
      x.wanted += records;
      missing += x.socket >= 0 && x.received < x.wanted ? 1 : 0;
    }
    epoll_event events[256];
    while (missing > 0) {
      auto count = ::epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        auto& x = *static_cast<client*>(events[i].data.ptr);
        bool was_missing = x.received < x.wanted;
        auto size = ::recv(x.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN) continue;
        if (size <= 0) {
          ::close(x.socket);
          x.socket = -1;
          ++lost_;
          missing -= was_missing ? 1 : 0;
          continue;
        }
        std::string_view bytes{buffer_.data(), static_cast<std::size_t>(size)};
        time_each_ ? look_at(x, bytes) : count_in(x, bytes);
        if (was_missing && x.received >= x.wanted) --missing;
      }
    }
  }

  // The header's length and the payload's, nothing if the header is not whole.
  static bool read_header(std::string_view bytes, std::size_t& header, std::uint64_t& payload) {
    if (bytes.size() < 2) return false;
    auto at = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])); };
    payload = at(1);
    header = payload == 127 ? 10 : payload == 126 ? 4 : 2;
    if (bytes.size() < header) return false;
    if (header > 2) payload = 0;
    for (std::size_t i = 2; i < header; ++i) payload = payload << 8 | at(i);
    return true;
  }

  // A text frame holds "[record,record,...]" and nothing else; anything else has no records in it.
  static std::uint64_t records_in(unsigned char first_byte, std::uint64_t payload) {
    if ((first_byte & 0x0F) != 1) return 0;
    if ((payload - 1) % (record_bytes + 1) != 0) give_up("a frame of unexpected size");
    return (payload - 1) / (record_bytes + 1);
  }

  void count_in(client& x, std::string_view bytes) {
    std::string joined;
    if (!x.carry.empty()) {
      joined = std::exchange(x.carry, {}).append(bytes);
      bytes = joined;
    }
    while (!bytes.empty()) {
      if (x.skip == 0) {
        std::size_t header = 0;
        if (!read_header(bytes, header, x.skip)) {
          x.skip = 0;
          x.carry = bytes;
          return;
        }
        x.skipped_records = records_in(static_cast<unsigned char>(bytes[0]), x.skip);
        bytes.remove_prefix(header);
      }
      auto part = std::min<std::uint64_t>(x.skip, bytes.size());
      bytes.remove_prefix(static_cast<std::size_t>(part));
      x.skip -= part;
      if (x.skip == 0) x.received += std::exchange(x.skipped_records, 0);
    }
  }

  void look_at(client& x, std::string_view bytes) {
    auto now = monotonic_ns();
    std::string joined;
    if (!x.carry.empty()) {
      joined = std::exchange(x.carry, {}).append(bytes);
      bytes = joined;
    }
    std::size_t header = 0;
    std::uint64_t payload = 0;
    while (read_header(bytes, header, payload) && bytes.size() >= header + payload) {
      auto records = records_in(static_cast<unsigned char>(bytes[0]), payload);
      for (std::uint64_t i = 0; i < records; ++i) {
        auto record = bytes.substr(header + 1 + i * (record_bytes + 1), record_bytes);
        if (!record.starts_with(record_head)) give_up("not a record");
        std::int64_t stamp = 0;
        for (auto c : record.substr(record_head.size(), stamp_digits)) stamp = stamp * 10 + (c - '0');
        latencies_us_.push_back(static_cast<float>(now - stamp) / 1000.0f);
      }
      x.received += records;
      bytes.remove_prefix(header + static_cast<std::size_t>(payload));
    }
    x.carry = bytes;
  }

  client_answer report() {
    client_answer result;
    result.lost = lost_;
    for (auto& x : clients_) result.deliveries += x.received;
    if (latencies_us_.empty()) return result;
    std::sort(latencies_us_.begin(), latencies_us_.end());
    auto at = [&](double share) {
      return latencies_us_[static_cast<std::size_t>(share * static_cast<double>(latencies_us_.size() - 1))];
    };
    result.p50_us = at(0.5);
    result.p90_us = at(0.9);
    result.p99_us = at(0.99);
    result.max_us = at(1);
    return result;
  }

  int control_;
  int epoll_ = -1;
  bool time_each_ = false;
  std::uint64_t lost_ = 0;
  std::vector<client> clients_;
  std::vector<char> buffer_;
  std::vector<float> latencies_us_;
};

} // namespace

std::string make_record(std::int64_t stamp_ns) {
  auto digits = std::to_string(stamp_ns);
  std::string result{record_head};
  result +=
    std::string(stamp_digits - digits.size(), '0') + digits + R"(,"symbol":"SYM042","price":101.25,"size":3,"pad":")";
  result.append(record_bytes - 2 - result.size(), 'x');
  return result + "\"}";
}

std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void run_clients(int control) { client_set{control}.run(); }

client_answer ask_clients(int control, const client_order& order) {
  client_answer answer;
  if (::write(control, &order, sizeof order) != static_cast<ssize_t>(sizeof order)) give_up("order");
  if (::read(control, &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) give_up("answer");
  return answer;
}

} // namespace finstream::bench
