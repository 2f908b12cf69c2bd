// What it costs to append to a broker, to read back and to consume in a group, through the contract that every driver
// keeps: lines of 170 bytes, as blocks of 1000 events and as one message an event.
// usage: broker_bench redis|nats URL EVENTS   -> JSON objects; CPU is of this process alone
#include "runtime/broker/broker.hpp"
#include "runtime/clock/clock.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>

namespace {

using namespace finstream;

const std::string stream = "finstream.bench", group = "bench";
constexpr std::size_t events_a_block = 1000, events_a_publish = 10'000, read_bytes = 4u << 20;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "broker_bench: %s\n", why.c_str());
  std::exit(1);
}
template <class T> T must(expected<T> x) {
  if (!x) give_up(x.error().message);
  return std::move(*x);
}
inline void must(const expected<void>& x) {
  if (!x) give_up(x.error().message);
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void measure(const std::string& what, const char* framing, std::size_t events, auto work) {
  auto began = system_clock().monotonic();
  auto cpu = cpu_seconds();
  work();
  auto seconds = static_cast<double>(system_clock().monotonic() - began) * 1e-9;
  std::printf("{\"name\":\"%s_%s\",\"events_per_second\":%.0f,\"events_per_cpu_second\":%.0f}\n", what.c_str(), framing,
              static_cast<double>(events) / seconds, static_cast<double>(events) / (cpu_seconds() - cpu));
}

void run(broker& to, const char* framing, std::size_t events, std::size_t events_a_message) {
  must(to.remove_stream(stream));
  must(to.open_stream(stream));
  must(to.ensure_group(stream, group));
  auto messages = events / events_a_message;
  std::string line =
    R"({"ver":1,"provider":"synthetic","symbol":"SYM042","kind":"tick","src_ts":"2026-11-21T09:10:00.123456789Z","price":425.15,"size":1200,"seq":10000000,"note":"----"})";
  line.resize(170, ' ');
  std::string body;
  for (std::size_t i = 0; i < events_a_message; ++i) body += line;

  measure("append", framing, events, [&] {
    std::optional<message_number> last;
    std::vector<broker_message> some;
    for (std::uint64_t i = 1; i <= messages; ++i) {
      some.push_back({{i, 0}, true, 1, events_a_message == 1 ? "tick" : "block", body});
      if (some.size() * events_a_message < events_a_publish && i < messages) continue;
      must(to.publish(stream, last, some));
      last = some.back().number;
      some.clear();
    }
  });
  measure("read", framing, events, [&] {
    std::optional<message_number> after;
    for (std::size_t seen = 0; seen < messages;) {
      auto found = must(to.read(stream, after, 10'000, read_bytes));
      if (found.empty()) give_up("the stream ends too early");
      seen += found.size();
      after = found.back().number;
    }
  });
  measure("consume", framing, events, [&] {
    std::vector<message_number> done;
    for (std::size_t seen = 0; seen < messages; seen += done.size()) {
      done.clear();
      for (const auto& x : must(to.take(stream, group, "c", 500, second))) done.push_back(x.what.number);
      must(to.acknowledge(stream, group, done));
    }
  });
  must(to.remove_stream(stream));
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: broker_bench redis|nats URL EVENTS\n"), 2;
  broker_options options;
  options.url = argv[2];
  options.request_timeout_ms = 20'000;
  auto to = must(std::string{argv[1]} == "redis" ? open_redis_broker(options) : open_nats_broker(options));
  auto events = static_cast<std::size_t>(std::atoll(argv[3])) / events_a_block * events_a_block;
  run(*to, "blocks", events * 5, events_a_block);
  run(*to, "events", events, 1);
  return 0;
}
