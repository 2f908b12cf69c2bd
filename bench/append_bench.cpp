// What it costs to append: records of 1000 events to the embedded log, at each level of durability, from one thread;
// and beside each case its floor, the same bytes written one after the other to a plain file with fdatasync at the same
// times. One line of JSON a case. CPU is that of the whole process, RocksDB's threads included, until all is quiet.
//
//   append_bench [DIRECTORY] [SECONDS]      a place on the disk to be measured; how long each case may take
#include "runtime/bus/bus.hpp"
#include "runtime/clock/clock.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

using namespace finstream;

namespace {

constexpr std::uint32_t events_per_record = 1000;
constexpr std::uint64_t bytes_per_case = 1u << 30; // so that no case floods the disk
constexpr nanoseconds sync_interval = 100 * millisecond;

struct workload {
  const char* name;
  std::size_t record_bytes;
};
constexpr workload workloads[] = {{"packed", 20'000}, {"raw", 170'000}};

nanoseconds cpu_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto ns = [](const timeval& t) { return t.tv_sec * second + t.tv_usec * 1000; };
  return ns(used.ru_utime) + ns(used.ru_stime);
}

struct stopwatch {
  nanoseconds cpu = cpu_time();
  nanoseconds wall = system_clock().monotonic();
  nanoseconds cpu_spent() const { return cpu_time() - cpu; }
  nanoseconds wall_spent() const { return system_clock().monotonic() - wall; }
};

struct figures {
  std::uint64_t records = 0;
  nanoseconds cpu = 0;
  nanoseconds wall = 0;
  std::uint64_t syncs = 0;
  double write_amplification = 1;
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "append_bench: %s\n", why.c_str());
  std::exit(1);
}

// Bytes that no layer can shorten.
std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 88172645463325252ull;
  for (auto& x : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    x = static_cast<char>(state);
  }
  return bytes;
}

// Calls `append` until the time or the bytes are used up; the number of calls.
template <class Append>
std::uint64_t repeat(const workload& what, nanoseconds limit, const stopwatch& watch, Append append) {
  std::uint64_t records = 0;
  while (records * what.record_bytes < bytes_per_case && watch.wall_spent() < limit) {
    append();
    ++records;
  }
  return records;
}

figures measure_bus(const std::string& directory, const workload& what, durability level, nanoseconds limit) {
  embedded_bus_options options;
  options.directory = directory;
  options.level = level;
  options.sync_interval_ms = static_cast<int>(sync_interval / millisecond);
  auto opened = open_embedded_bus(options);
  if (!opened) give_up(opened.error().message);
  auto payload = noise(what.record_bytes);
  stopwatch watch;
  figures result;
  std::int64_t time = 0;
  result.records = repeat(what, limit, watch, [&] {
    transaction tx;
    tx.appends.push_back({topic::events, 0, record_kind::events, events_per_record, {++time}, payload});
    if (auto written = (*opened)->write(std::move(tx)); !written) give_up(written.error().message);
  });
  result.wall = watch.wall_spent();
  usleep(300'000); // flushes underway belong to the appends that caused them
  auto counted = (*opened)->statistics();
  result.syncs = counted.syncs;
  result.write_amplification = static_cast<double>(counted.bytes_written) / static_cast<double>(counted.bytes_appended);
  result.cpu = watch.cpu_spent();
  return result;
}

figures measure_floor(const std::string& path, const workload& what, durability level, nanoseconds limit) {
  int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) give_up("cannot write " + path);
  auto payload = noise(what.record_bytes);
  stopwatch watch;
  figures result;
  nanoseconds synced = 0;
  result.records = repeat(what, limit, watch, [&] {
    if (::write(file, payload.data(), payload.size()) != static_cast<ssize_t>(payload.size()))
      give_up("cannot write " + path);
    bool due =
      level == durability::batch || (level == durability::interval && watch.wall_spent() - synced >= sync_interval);
    if (!due) return;
    if (::fdatasync(file) != 0) give_up("cannot sync " + path);
    synced = watch.wall_spent();
    ++result.syncs;
  });
  result.wall = watch.wall_spent();
  result.cpu = watch.cpu_spent();
  ::close(file);
  return result;
}

void print(const char* subject, const workload& what, durability level, const figures& x) {
  auto events = static_cast<double>(x.records) * events_per_record;
  std::printf("{\"bench\":\"append\",\"subject\":\"%s\",\"payload\":\"%s\",\"record_bytes\":%zu,\"durability\":\"%s\","
              "\"events\":%.0f,\"cpu_ns_per_event\":%.2f,\"wall_ns_per_event\":%.2f,\"syncs\":%llu,\"write_"
              "amplification\":%.2f}\n",
              subject, what.name, what.record_bytes, std::string{to_string(level)}.c_str(), events,
              static_cast<double>(x.cpu) / events, static_cast<double>(x.wall) / events,
              static_cast<unsigned long long>(x.syncs), x.write_amplification);
  std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  auto pattern = std::string{argc > 1 ? argv[1] : fs::temp_directory_path().c_str()} + "/append-bench-XXXXXX";
  if (!mkdtemp(pattern.data())) give_up("cannot make a directory in " + pattern);
  auto limit = static_cast<nanoseconds>((argc > 2 ? std::atof(argv[2]) : 1.5) * second);
  for (const auto& what : workloads)
    for (auto level : {durability::none, durability::interval, durability::batch}) {
      print("bus", what, level, measure_bus(pattern + "/log", what, level, limit));
      fs::remove_all(pattern + "/log");
      print("floor", what, level, measure_floor(pattern + "/file", what, level, limit));
      fs::remove(pattern + "/file");
    }
  std::error_code ignored;
  fs::remove_all(pattern, ignored);
}
