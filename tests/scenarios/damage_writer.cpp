// Writes to a log what no node would write, for the scenario of damage; the records and rows are whole, checksum and
// all.   usage: damage_writer DIRECTORY
//          wrong-bar|wrong-last-bar|hole-in-bars|hole-in-events|bad-checkpoint|wrong-checkpoint|outputs-ahead|on-broker
#include "messages/codec/msgpack.hpp"
#include "runtime/bus/record_codec.hpp"
#include "runtime/store/bar_store.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <rocksdb/db.h>
#include <string>

namespace {

using namespace finstream;

template <class T> T must(expected<T> x) {
  if (x) return std::move(*x);
  std::fprintf(stderr, "damage_writer: %s\n", x.error().message.c_str());
  std::exit(1);
}

// Through the bus: a bar whose close is a cent higher.
void write_wrong_bar(bus& log, bool last) {
  bar wrong;
  (void)scan_all_bars(log, [&](std::string_view, std::string_view value) {
    wrong = must(bar_from_msgpack(value));
    return last;
  });
  wrong.close = price{decimal{wrong.close.units + 10'000'000}};
  transaction tx;
  tx.writes.push_back(bar_write(wrong));
  must(log.write(std::move(tx)));
}

// Through the bus: a checkpoint with its last byte changed, or cut.
void write_checkpoint(bus& log, bool cut) {
  auto saved = must(log.get("stage", "snapshot/0"));
  if (!saved) std::exit(2);
  if (cut)
    saved->pop_back();
  else
    saved->at(saved->size() / 2) = static_cast<char>(saved->at(saved->size() / 2) ^ 1);
  transaction tx;
  tx.writes.push_back({"stage", "snapshot/0", std::move(*saved)});
  must(log.write(std::move(tx)));
}

// Through the bus: a number by which it is a copy of a log on a broker.
void write_log_id(bus& log) {
  transaction tx;
  tx.writes.push_back({"node", "log_id", "1"});
  must(log.write(std::move(tx)));
}

// Behind the bus: takes the record in the middle away, or all from there on.
void take_away(const std::string& directory, topic where, bool all) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies({}, directory, &names).ok()) std::exit(2);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (auto& x : names) families.emplace_back(x, rocksdb::ColumnFamilyOptions{});
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open({}, directory, families, &handles, &db).ok()) std::exit(2);
  for (auto* x : handles) {
    if (x->GetName() != std::string{to_string(where)} + "/0") continue;
    std::vector<std::string> keys;
    std::unique_ptr<rocksdb::Iterator> at{db->NewIterator({}, x)};
    for (at->SeekToFirst(); at->Valid(); at->Next()) keys.push_back(at->key().ToString());
    if (keys.size() < 3) std::exit(2);
    auto first = keys.size() / 2, end = all ? keys.size() : first + 1;
    for (auto i = first; i < end; ++i)
      if (!db->Delete({}, x, keys[i]).ok()) std::exit(2);
    std::printf("%llu\n", static_cast<unsigned long long>(record_codec::get_big_endian(keys[first].data() + 4, 8)));
  }
  for (auto* x : handles) (void)db->DestroyColumnFamilyHandle(x);
  delete db;
}

// As if the events had not come yet: they were never promised, and no group has read them.
void take_last_events(const std::string& directory) {
  take_away(directory, topic::events, true);
  std::filesystem::remove(directory + "/witness");
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::string directory = argv[1], what = argv[2];
  if (what == "hole-in-bars") return take_away(directory, topic::bars, false), 0;
  if (what == "hole-in-events") return take_away(directory, topic::events, false), 0;
  if (what == "outputs-ahead") take_last_events(directory);
  embedded_bus_options options;
  options.directory = directory;
  auto log = must(open_embedded_bus(options));
  if (what == "outputs-ahead") return 0; // it was opened
  if (what == "on-broker") return write_log_id(*log), 0;
  if (what == "wrong-bar") return write_wrong_bar(*log, false), 0;
  if (what == "wrong-last-bar") return write_wrong_bar(*log, true), 0;
  if (what == "bad-checkpoint") return write_checkpoint(*log, true), 0;
  if (what == "wrong-checkpoint") return write_checkpoint(*log, false), 0;
  return 2;
}
