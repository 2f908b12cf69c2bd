// The embedded bus on a disk that fills up, and has room again. The disk is a small tmpfs, which only root may mount.
#define CAF_SUITE bus_disk_full

#include "tests/runtime/bus_files.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <cstring>
#include <sys/mount.h>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

class small_disk {
public:
  small_disk() : mounted_{::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=48m") == 0} {
    if (!mounted_) CAF_MESSAGE("skipped: a tmpfs cannot be mounted here: " << std::strerror(errno));
  }
  ~small_disk() {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  bool mounted() const { return mounted_; }
  std::string log() const { return directory_.path() + "/log"; }

  // A file that leaves this many bytes free.
  void occupy_all_but(std::uintmax_t bytes) {
    std::string block(4096, 'b');
    std::ofstream file{ballast(), std::ios::app};
    while (free_bytes() > bytes && file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void release() { std::filesystem::remove(ballast()); }
  std::uintmax_t free_bytes() const { return std::filesystem::space(directory_.path()).available; }

private:
  std::string ballast() const { return directory_.path() + "/ballast"; }

  temp_dir directory_;
  bool mounted_;
};

embedded_bus_options small_memtables(const small_disk& disk, durability level) {
  auto options = options_for(disk.log(), level);
  options.memtable_bytes = 2u << 20;
  return options;
}

std::string payload_of(std::uint64_t offset) { return std::to_string(offset) + std::string(20'000, 'p'); }

// Appends until it is refused, and takes what space is left.
failure append_until_full(bus& log, small_disk& disk, std::uint64_t& next) {
  disk.occupy_all_but(3u << 20);
  for (int i = 0; i < 10'000; ++i) {
    auto answer = log.write(appends({events_record(0, 1, at(0), payload_of(next))}));
    if (answer && answer->offsets[0] != next++) return {errc::none, "a hole"};
    if (answer) continue;
    disk.occupy_all_but(0);
    return answer.error();
  }
  return {};
}

void check_all(const bus& log, std::uint64_t next) {
  CAF_CHECK_EQUAL(must(log.range(topic::events, 0)).next, next);
  std::uint64_t offset = 0;
  bool same = true;
  while (same && offset < next) {
    auto found = must(log.read(topic::events, 0, offset, 1u << 20));
    same = !found.empty();
    for (const auto& x : found) {
      same = same && x.payload == payload_of(offset) && x.offset == offset;
      offset = x.next();
    }
  }
  CAF_CHECK(same);
}

// Until the bus says that it is well, or for 20 seconds.
bool becomes_healthy(const bus& log) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!log.health()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return true;
}

void fills_up_and_recovers(durability level) {
  small_disk disk;
  if (!disk.mounted()) return;
  auto log = must(open_embedded_bus(small_memtables(disk, level)));
  std::uint64_t next = 0;
  append_one(*log, events_record(0, 1, at(0), payload_of(next++)));
  for (int round = 0; round < 3; ++round) {
    auto full = append_until_full(*log, disk, next);
    CAF_MESSAGE("full at " << next << ": " << full.message);
    CAF_CHECK(full.code == errc::disk_full);
    CAF_CHECK(code_of(log->health()) == errc::disk_full);
    CAF_CHECK(code_of(log->write(appends({events_record(0, 1, at(0), payload_of(next))}))) == errc::disk_full);
    check_all(*log, next); // what was acknowledged is still served

    disk.release();
    CAF_CHECK(becomes_healthy(*log));
    for (int i = 0; i < 10; ++i) {
      CAF_CHECK_EQUAL(append_one(*log, events_record(0, 1, at(0), payload_of(next))), next);
      ++next;
    }
    check_all(*log, next);
  }
  log.reset();
  log = must(open_embedded_bus(small_memtables(disk, level)));
  CAF_CHECK(log->recovery().notes.empty());
  check_all(*log, next);
}

} // namespace

CAF_TEST(a full disk is said and the log goes on once there is room at level interval) {
  fills_up_and_recovers(durability::interval);
}

CAF_TEST(a full disk is said and the log goes on once there is room at level batch) {
  fills_up_and_recovers(durability::batch);
}

CAF_TEST(a full disk is said and the log goes on once there is room at level none) {
  fills_up_and_recovers(durability::none);
}

CAF_TEST(whoever only goes on writing finds that there is room again) {
  small_disk disk;
  if (!disk.mounted()) return;
  auto log = must(open_embedded_bus(small_memtables(disk, durability::interval)));
  std::uint64_t next = 0;
  CAF_CHECK(append_until_full(*log, disk, next).code == errc::disk_full);
  disk.release();
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  bool written = false;
  while (!written && std::chrono::steady_clock::now() < deadline) {
    written = log->write(appends({events_record(0, 1, at(0), payload_of(next))})).has_value();
    if (!written) std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  CAF_REQUIRE(written);
  check_all(*log, next + 1);
}

CAF_TEST(a log that cannot be made for want of space is refused as such) {
  small_disk disk;
  if (!disk.mounted()) return;
  disk.occupy_all_but(0);
  CAF_CHECK(code_of(open_embedded_bus(small_memtables(disk, durability::interval))) == errc::disk_full);
}
