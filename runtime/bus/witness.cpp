#include "runtime/bus/witness.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace finstream {

namespace {

constexpr std::uint64_t magic = 0x31'73'73'65'6e'74'69'77; // "witness1"
constexpr std::size_t slot_limit = 4095; // one less than the topics x partitions of any sensible node, x 20

// The file: a header, then the slots, in this machine's byte order, for no other machine is to read it.
struct header {
  std::uint64_t magic;
  std::uint64_t epoch_and_level; // epoch << 8 | level
};
struct slot {
  std::uint64_t place; // topic << 16 | partition; 0 = free
  std::uint64_t next;
};
struct page {
  header head;
  slot slots[slot_limit];
};
static_assert(sizeof(page) == 65536);

std::string path_in(const std::string& directory) { return directory + "/witness"; }

std::uint64_t stamp(std::uint64_t epoch, durability level) { return epoch << 8 | static_cast<std::uint64_t>(level); }

} // namespace

witness::testimony witness::hear(const std::string& directory, std::uint64_t epoch) {
  testimony result;
  auto silent = [&](std::string why) { return result.silence = std::move(why), result; };
  auto read = std::make_unique<page>();
  std::ifstream in{path_in(directory), std::ios::binary};
  if (!in) return silent("it is not there");
  if (!in.read(reinterpret_cast<char*>(read.get()), sizeof(page))) return silent("it is shorter than it must be");
  auto level = read->head.epoch_and_level & 0xff;
  if (read->head.magic != magic) return silent("its first bytes are not those of a witness");
  if (read->head.epoch_and_level >> 8 != epoch) return silent("it is that of another log");
  if (level > static_cast<std::uint64_t>(durability::batch)) return silent("its level is unknown");
  result.level = static_cast<durability>(level);
  for (const auto& x : read->slots) {
    auto where = static_cast<topic>(x.place >> 16);
    if (x.place == 0 || x.place >> 32 != 0 || to_string(where) == "unknown") continue;
    result.promises.push_back({where, static_cast<std::uint16_t>(x.place), x.next});
  }
  return result;
}

expected<std::unique_ptr<witness>> witness::open(const std::string& directory, std::uint64_t epoch, durability level) {
  auto path = path_in(directory);
  auto give_up = [&](const char* what) {
    auto code = errno == ENOSPC || errno == EDQUOT ? errc::disk_full : errc::io_failure;
    return fail(code, fmt::format("{} on {}: {}", what, path, std::strerror(errno)));
  };
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return give_up("open of the log's witness");
  // Real blocks, not a hole: a store into a hole of a full disk would kill the process.
  auto blank = std::make_unique<page>();
  blank->head = {magic, stamp(epoch, level)};
  auto written = ::pwrite(file, blank.get(), sizeof(page), 0);
  if (written >= 0 && written != static_cast<ssize_t>(sizeof(page))) errno = ENOSPC;
  auto ready =
    written == static_cast<ssize_t>(sizeof(page)) && ::ftruncate(file, sizeof(page)) == 0 && ::fdatasync(file) == 0;
  void* map = ready ? ::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  auto failed = map == MAP_FAILED ? errno : 0;
  ::close(file);
  errno = failed;
  if (map == MAP_FAILED) return give_up("write of the log's witness");
  return std::unique_ptr<witness>{new witness{map}};
}

witness::~witness() { ::munmap(map_, sizeof(page)); }

std::size_t witness::enter(topic where, std::uint16_t partition, std::uint64_t next) {
  if (used_ == slot_limit) return no_slot;
  auto& x = static_cast<page*>(map_)->slots[used_];
  x.next = next;
  std::atomic_ref{x.place}.store(std::uint64_t{static_cast<std::uint16_t>(where)} << 16 | partition,
                                 std::memory_order_release);
  return used_++;
}

void witness::promise_next(std::size_t slot, std::uint64_t next) {
  if (slot == no_slot) return;
  // One store of eight aligned bytes: it is found whole or not at all.
  std::atomic_ref{static_cast<page*>(map_)->slots[slot].next}.store(next, std::memory_order_release);
}

} // namespace finstream
