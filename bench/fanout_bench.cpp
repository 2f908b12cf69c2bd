// What it costs to send each record to many clients: 150-byte records over WebSocket, clients in another process.
//   paced: the time from deliver() to the client's recv(), at a given rate
//   flat:  server CPU per million deliveries while records come flat out, handed over in bursts, a call for each; every
//          10,000 records it waits for the clients (flat_lists: a call a record, each to another list than the last)
//   turns: the same in turns: the next burst when every client has had the last, so nothing else can travel with it
//   floor: turns with a bare send() for each client and burst, which is what the kernel alone costs
//   idle:  memory per connection that does nothing
// One JSON object a line. Each case runs in processes of its own; `fanout_bench NAME...` runs those whose name holds a
// NAME.
#include "bench/websocket_clients.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/server/frames.hpp"
#include "runtime/server/server.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <malloc.h>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finstream::bench {

namespace {

constexpr nanoseconds case_length = 2 * second;
constexpr std::uint64_t round_records = 10'000; // flat out: handed over before the clients are waited for

struct bench_case {
  enum kind { idle, paced, flat, flat_lists, turns, floor } what;
  std::uint32_t clients;
  std::uint64_t rate_or_burst;
  std::string name() const {
    constexpr const char* names[] = {"idle", "paced", "flat", "flat_lists", "turns", "floor"};
    return fmt::format("{}_{}_{}", names[what], clients, rate_or_burst);
  }
};

double cpu_seconds() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  auto seconds = [](timeval x) { return static_cast<double>(x.tv_sec) + static_cast<double>(x.tv_usec) / 1e6; };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream{"/proc/self/statm"} >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

block_ptr make_block() {
  auto now = system_clock().monotonic();
  return std::make_shared<const block>(block{make_record(monotonic_ns()), 1, now});
}

// A server, and who is connected to it.
class fixture {
public:
  fixture(int control, const bench_case& settings) : control_{control} {
    server_options options;
    // A closed loop of large bursts is no slow client.
    options.max_queue_bytes = 64 << 20;
    server_events events;
    events.on_open = [this](connection_ptr x) {
      std::lock_guard lock{mutex_};
      open_.push_back(std::move(x));
      changed_.notify_all();
    };
    auto started = start_server(options, std::move(events));
    ensure(started.has_value(), "the server did not start");
    server_ = std::move(*started);
    heap_before_ = heap_bytes();
    resident_before_ = resident_bytes();
    client_order order{client_order::connect, server_->port(), settings.clients, settings.what == bench_case::paced, 0};
    ask_clients(control_, order);
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return open_.size() == settings.clients; });
    all_ = std::make_shared<const std::vector<connection_ptr>>(open_);
    if (settings.what == bench_case::flat_lists)
      for (auto& list : lists_) list = std::make_shared<const std::vector<connection_ptr>>(open_);
  }

  static std::size_t heap_bytes() {
    auto now = ::mallinfo2();
    return now.uordblks + now.hblkhd;
  }

  void print_idle(const bench_case& x) {
    fmt::print(R"({{"bench":"fanout","case":"{}","heap_bytes_per_connection":{},"rss_bytes_per_connection":{}}})"
               "\n",
               x.name(), (heap_bytes() - heap_before_) / x.clients, (resident_bytes() - resident_before_) / x.clients);
  }

  void paced(const bench_case& x) {
    auto period = second / static_cast<nanoseconds>(x.rate_or_burst);
    auto count = static_cast<std::uint64_t>(case_length / period);
    client_order order{client_order::expect, 0, 0, 0, count};
    if (::write(control_, &order, sizeof order) != static_cast<ssize_t>(sizeof order)) std::_Exit(1);
    auto cpu = cpu_seconds();
    auto next = monotonic_ns();
    for (std::uint64_t i = 0; i < count; ++i, next += period) {
      timespec until{next / second, next % second};
      ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      server_->deliver(make_block(), all_);
    }
    client_answer answer;
    if (::read(control_, &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer)) std::_Exit(1);
    cpu = cpu_seconds() - cpu;
    answer = ask_clients(control_, {client_order::report, 0, 0, 0, 0});
    fmt::print(R"({{"bench":"fanout","case":"{}","deliveries":{},"lost_clients":{},"p50_us":{:.0f},"p90_us":{:.0f},)"
               R"("p99_us":{:.0f},"max_us":{:.0f},"server_cpu_s_per_million":{:.3f},"writes":{}}})"
               "\n",
               x.name(), answer.deliveries, answer.lost, answer.p50_us, answer.p90_us, answer.p99_us, answer.max_us,
               cpu * 1e6 / static_cast<double>(answer.deliveries), server_->statistics().writes);
  }

  void flat(const bench_case& x) {
    auto cpu = cpu_seconds();
    auto start = monotonic_ns();
    auto round = x.what == bench_case::turns ? x.rate_or_burst : round_records;
    std::size_t next_list = 0;
    do {
      client_order order{client_order::expect, 0, 0, 0, round};
      if (::write(control_, &order, sizeof order) != static_cast<ssize_t>(sizeof order)) std::_Exit(1);
      for (std::uint64_t given = 0; given < round; given += x.rate_or_burst) {
        auto& to = x.what == bench_case::flat_lists ? lists_[next_list++ % lists_.size()] : all_;
        std::vector<delivery> burst(std::min(x.rate_or_burst, round - given));
        for (auto& one : burst) one = {make_block(), to};
        server_->deliver(std::move(burst));
      }
      client_answer done;
      if (::read(control_, &done, sizeof done) != static_cast<ssize_t>(sizeof done)) std::_Exit(1);
    } while (monotonic_ns() - start < case_length);
    auto elapsed = static_cast<double>(monotonic_ns() - start) / 1e9;
    cpu = cpu_seconds() - cpu;
    auto answer = ask_clients(control_, {client_order::report, 0, 0, 0, 0});
    auto statistics = server_->statistics();
    fmt::print(R"({{"bench":"fanout","case":"{}","deliveries":{},"lost_clients":{},"deliveries_per_s":{:.0f},)"
               R"("server_cpu_s_per_million":{:.3f},"records_per_write":{:.1f}}})"
               "\n",
               x.name(), answer.deliveries, answer.lost, static_cast<double>(answer.deliveries) / elapsed,
               cpu * 1e6 / static_cast<double>(answer.deliveries),
               static_cast<double>(statistics.sent_records) / static_cast<double>(statistics.writes));
  }

private:
  int control_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<connection_ptr> open_;
  std::shared_ptr<const std::vector<connection_ptr>> all_;
  std::array<std::shared_ptr<const std::vector<connection_ptr>>, 100> lists_; // as of 100 symbols
  std::size_t heap_before_ = 0;
  std::size_t resident_before_ = 0;
  std::unique_ptr<server> server_; // last: its callbacks use the others
};

// No server of ours: the frame is made once and sent with one blocking send() per client and burst.
void run_floor(int control, const bench_case& x) {
  auto listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bool ready = ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(listener, 4096) == 0 &&
               ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ensure(ready, "floor: no listening socket");
  ask_clients(control, {client_order::connect_raw, ntohs(address.sin_port), x.clients, 0, 0});
  std::vector<int> sockets(x.clients);
  for (auto& s : sockets) {
    s = ::accept(listener, nullptr, nullptr);
    int on = 1;
    ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  std::string text = "[" + make_record(0);
  for (std::uint64_t i = 1; i < x.rate_or_burst; ++i) text += "," + make_record(0);
  text += "]";
  char header[max_frame_header_bytes];
  auto frame = std::string{header, write_frame_header(header, frame_kind::text, text.size())} + text;
  auto cpu = cpu_seconds();
  auto start = monotonic_ns();
  do {
    client_order order{client_order::expect, 0, 0, 0, x.rate_or_burst};
    if (::write(control, &order, sizeof order) != static_cast<ssize_t>(sizeof order)) std::_Exit(1);
    for (auto s : sockets)
      if (::send(s, frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) std::_Exit(1);
    client_answer done;
    if (::read(control, &done, sizeof done) != static_cast<ssize_t>(sizeof done)) std::_Exit(1);
  } while (monotonic_ns() - start < case_length);
  auto elapsed = static_cast<double>(monotonic_ns() - start) / 1e9;
  cpu = cpu_seconds() - cpu;
  auto answer = ask_clients(control, {client_order::report, 0, 0, 0, 0});
  fmt::print(
    R"({{"bench":"fanout","case":"{}","deliveries":{},"deliveries_per_s":{:.0f},"server_cpu_s_per_million":{:.3f}}})"
    "\n",
    x.name(), answer.deliveries, static_cast<double>(answer.deliveries) / elapsed,
    cpu * 1e6 / static_cast<double>(answer.deliveries));
}

void run_case(const bench_case& x) {
  int ends[2];
  ensure(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
  auto clients = ::fork();
  if (clients == 0) {
    ::close(ends[0]);
    run_clients(ends[1]);
    std::_Exit(0);
  }
  ::close(ends[1]);
  ::prctl(PR_SET_TIMERSLACK, 1);
  if (x.what == bench_case::floor) {
    run_floor(ends[0], x);
  } else {
    fixture f{ends[0], x};
    if (x.what == bench_case::idle) f.print_idle(x);
    if (x.what == bench_case::paced) f.paced(x);
    if (x.what >= bench_case::flat) f.flat(x);
  }
  ::close(ends[0]);
  ::waitpid(clients, nullptr, 0);
  std::fflush(stdout);
}

} // namespace

} // namespace finstream::bench

int main(int count, char** words) {
  using namespace finstream::bench;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::vector<bench_case> cases{
    {bench_case::idle, 1000, 0}, {bench_case::paced, 100, 1000}, {bench_case::paced, 100, 10'000}};
  for (auto clients : {100u, 1000u}) {
    for (auto burst : {1u, 32u, 1000u, 10'000u}) cases.push_back({bench_case::flat, clients, burst});
    cases.push_back({bench_case::flat_lists, clients, 1});
    for (auto burst : {1u, 32u, 1000u, 10'000u}) cases.push_back({bench_case::turns, clients, burst});
    for (auto burst : {1u, 32u, 1000u}) cases.push_back({bench_case::floor, clients, burst});
  }
  int failures = 0;
  for (const auto& x : cases) {
    bool wanted = count < 2;
    for (int i = 1; i < count; ++i) wanted = wanted || x.name().find(words[i]) != std::string::npos;
    if (!wanted) continue;
    // A process each: no case starts with another's heap.
    auto child = ::fork();
    if (child == 0) {
      run_case(x);
      std::_Exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) {
      std::fprintf(stderr, "case %s failed\n", x.name().c_str());
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}
