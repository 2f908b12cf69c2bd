// A process to be killed by the tests of the bus: opens the log in a directory and appends until it is killed. After
// each receipt it writes the log's new end as a line to standard output; what it has said so must be found again.
//
//   bus_writer DIRECTORY none|interval|batch
#include "runtime/bus/bus.hpp"

#include <cstdio>
#include <string>
#include <unistd.h>

using namespace finstream;

namespace {

int complain(const failure& why) {
  std::fprintf(stderr, "%s\n", why.message.c_str());
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  embedded_bus_options options;
  options.directory = argv[1];
  options.memtable_bytes = 2u << 20; // small, so that it is often killed while files are written
  for (auto level : {durability::none, durability::interval, durability::batch})
    if (to_string(level) == argv[2]) options.level = level;
  auto opened = open_embedded_bus(options);
  if (!opened) return complain(opened.error());
  auto& log = **opened;

  auto end = log.range(topic::events, 0)->next;
  while (true) {
    // The end of each topic, a table and a group all say the same, if the transaction is whole.
    transaction tx;
    auto next = end + 3;
    auto time = timestamp{static_cast<std::int64_t>(next)};
    tx.appends.push_back(
      {topic::events, 0, record_kind::events, 3, time, std::to_string(end) + std::string(end % 20'000, '.')});
    tx.appends.push_back({topic::raw, 0, record_kind::lines, 3, time, std::to_string(end)});
    tx.writes.push_back({"state", "end", std::to_string(next)});
    tx.commits.push_back({"windows", topic::events, 0, next});
    auto answer = log.write(std::move(tx));
    if (!answer) return complain(answer.error());
    if (answer->offsets[0] != end) return 3;
    end = next;
    auto line = std::to_string(end) + "\n";
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) return 0;
  }
}
