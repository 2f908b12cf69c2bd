// Puts a record into the log of a node that is stopped, whole for the log and of no use to a stage:
//
//   poison_writer DIRECTORY PARTITION window|features|inference
//
// It is a change of rules, the last ones in force with those of one stage spoilt. Says its offset.
#include "messages/codec/msgpack.hpp"
#include "runtime/bus/bus.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace finstream;

namespace {

int complain(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto partition = static_cast<std::uint16_t>(std::atoi(argv[2]));
  std::string stage = argv[3];
  embedded_bus_options options;
  options.directory = argv[1];
  auto opened = open_embedded_bus(options);
  if (!opened) return complain(opened.error().message);
  auto& log = **opened;
  auto range = log.range(topic::events, partition);
  if (!range) return complain(range.error().message);
  stage_rules rules;
  timestamp last;
  for (auto offset = range->head; offset < range->next;) {
    auto records = log.read(topic::events, partition, offset, 1u << 20);
    if (!records) return complain(records.error().message);
    for (auto& r : *records) {
      offset = r.next();
      last = r.log_ts;
      if (r.kind != record_kind::start && r.kind != record_kind::rules) continue;
      if (auto read = stage_rules_from_msgpack(r.payload);
          read && read->bars != "spoilt" && read->features != "spoilt" && read->signals != "spoilt")
        rules = *read;
    }
  }
  (stage == "window" ? rules.bars : stage == "features" ? rules.features : rules.signals) = "spoilt";
  transaction tx;
  tx.appends.push_back({topic::events, partition, record_kind::rules, 1, last, to_msgpack(rules)});
  auto written = log.write(std::move(tx));
  if (!written) return complain(written.error().message);
  std::printf("%llu\n", static_cast<unsigned long long>(written->offsets.front()));
  return 0;
}
