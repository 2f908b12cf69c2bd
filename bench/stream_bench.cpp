// How long a record takes from the feed's pipe to a client: N WebSocket clients of a running node, subscribed to
// ticks.*, compare each record's ingest_ts (when its line was read) with the time at which it arrives. One thread,
// epoll. usage: stream_bench PORT CLIENTS SECONDS   -> one JSON object
#include "messages/value/timestamp.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace finstream;

constexpr std::string_view mark = "\"ingest_ts\":\"";
constexpr std::size_t longest_time = 32;
constexpr int warm_up_share = 5;       // the first fifth is not counted
constexpr int longest_us = 10'000'000; // what takes longer counts as this

// Counts by microsecond: a list of all of them would halt this program for its growth, and be measured.
class latencies {
public:
  void add(nanoseconds x) {
    ++counts_[static_cast<std::size_t>(std::clamp<nanoseconds>(x / 1000, 0, longest_us))];
    ++all_;
  }
  std::size_t at_share_us(double share) const {
    auto left = static_cast<std::uint64_t>(share * static_cast<double>(all_));
    std::size_t at = 0;
    while (at + 1 < counts_.size() && counts_[at] <= left) left -= counts_[at++];
    return at;
  }
  std::size_t max_us() const {
    auto at = counts_.size() - 1;
    while (at > 0 && counts_[at] == 0) --at;
    return at;
  }

private:
  std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(longest_us + 1);
  std::uint64_t all_ = 0;
};

struct client {
  int socket = -1;
  std::string rest; // the end of the last read: a record may be cut there
};

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    auto n = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) std::exit(1);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

int open_client(std::uint16_t port) {
  auto socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0)
    return std::perror("connect"), std::exit(1), -1;
  int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  send_all(socket, "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  std::string answer;
  char c = 0;
  while (!answer.ends_with("\r\n\r\n") && ::recv(socket, &c, 1, 0) == 1) answer += c;
  std::string command = R"({"action":"subscribe","id":1,"channels":["ticks.*"]})";
  std::string frame{'\x81', static_cast<char>(0x80 | command.size())};
  frame += std::string(4, '\0') + command; // masked with zeros
  send_all(socket, frame);
  return socket;
}

// Latencies of the records in `text`; what is left of the last one stays for the next read.
void take(std::string& text, timestamp now, bool counted, latencies& found, std::uint64_t& records) {
  std::size_t done = 0;
  for (auto at = text.find(mark); at != std::string::npos && at + mark.size() + longest_time < text.size();
       at = text.find(mark, done)) {
    auto begin = at + mark.size();
    auto end = text.find('"', begin);
    ++records;
    if (counted)
      if (auto then = parse_timestamp(std::string_view{text}.substr(begin, end - begin))) found.add(now - *then);
    done = end;
  }
  auto keep = std::min(text.size() - done, mark.size() + longest_time + 1);
  auto cut = text.find(mark, done);
  text.erase(0, cut != std::string::npos ? cut : text.size() - keep);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: stream_bench PORT CLIENTS SECONDS\n"), 2;
  auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  auto length = std::atoi(argv[3]) * second;
  std::vector<client> clients(static_cast<std::size_t>(std::atoi(argv[2])));
  auto poll = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].socket = open_client(port);
    epoll_event event{EPOLLIN, {.u64 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event);
  }
  latencies found;
  std::vector<char> buffer(1 << 20);
  std::vector<epoll_event> ready(256);
  std::uint64_t records = 0, lost = 0;
  auto& time = system_clock();
  auto began = time.monotonic();
  while (time.monotonic() - began < length) {
    auto n = ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), 100);
    for (int k = 0; k < n; ++k) {
      auto& c = clients[ready[static_cast<std::size_t>(k)].data.u64];
      auto bytes = ::recv(c.socket, buffer.data(), buffer.size(), 0);
      auto now = time.now();
      if (bytes <= 0) {
        ++lost;
        ::epoll_ctl(poll, EPOLL_CTL_DEL, c.socket, nullptr);
        continue;
      }
      c.rest.append(buffer.data(), static_cast<std::size_t>(bytes));
      take(c.rest, now, time.monotonic() - began > length / warm_up_share, found, records);
    }
  }
  std::printf(
    "{\"name\":\"stream\",\"clients\":%zu,\"deliveries\":%llu,\"lost_clients\":%llu,\"p50_us\":%zu,\"p90_us\":%zu,"
    "\"p99_us\":%zu,\"max_us\":%zu}\n",
    clients.size(), static_cast<unsigned long long>(records), static_cast<unsigned long long>(lost),
    found.at_share_us(0.5), found.at_share_us(0.9), found.at_share_us(0.99), found.max_us());
  return 0;
}
