#include "cli/rebuild.hpp"

#include "actors/derived_writer.hpp"
#include "actors/log_bases.hpp"
#include "actors/stages.hpp"
#include "cli/replay_run.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace finstream {

namespace {

constexpr std::size_t read_bytes = 4u << 20;
constexpr std::size_t writes_at_once = 10'000;

class partition_rebuild {
public:
  partition_rebuild(bus& log, std::uint16_t partition) : log_{log}, partition_{partition} {}

  expected<void> run() {
    auto range = log_.range(topic::events, partition_);
    if (!range) return tl::unexpected{range.error()};
    if (auto begun = begin(range->head); !begun) return begun;
    for (auto offset = range->head; offset < range->next;) {
      auto records = log_.read(topic::events, partition_, offset, read_bytes);
      if (!records) return tl::unexpected{records.error()};
      for (auto& r : *records) {
        offset = r.next();
        if (auto taken = take(std::move(r)); !taken) return taken;
      }
    }
    if (range->head == range->next) return {};
    auto states = stages_.save();
    tx_.writes.push_back({stage_table, dealt_with_key(partition_), offset_text(range->next)});
    tx_.writes.push_back({stage_table, snapshot_key(partition_), pack_snapshot(range->next, states)});
    tx_.commits.push_back({"window", topic::events, partition_, range->next});
    return flush();
  }

private:
  expected<void> begin(std::uint64_t head) {
    auto aside = set_aside_records::load(log_, partition_);
    if (!aside) return tl::unexpected{aside.error()};
    stages_.leave_out(std::move(*aside));
    if (head == 0) return {};
    auto base = load_base(log_, partition_, head);
    return base ? stages_.load(base->second) : expected<void>{tl::unexpected{base.error()}};
  }

  expected<void> take(record from) {
    if (stages_.leaves_out(from.offset)) return {};
    auto entry = to_log_entry(std::move(from));
    if (!entry) return tl::unexpected{entry.error()};
    auto step = stages_.apply(**entry);
    if (!step) return tl::unexpected{step.error()};
    for (auto [where, items] :
         {std::pair{derived_topic::bars, &step->bars}, std::pair{derived_topic::features, &step->features},
          std::pair{derived_topic::signals, &step->signals}})
      for (auto& made : to_records(std::move(*items), step->log_ts)) {
        tx_.appends.push_back(derived_record_of(where, partition_, *made));
        for (auto& item : made->items) add_rows(tx_, item);
      }
    for (auto& letter : step->rejected)
      tx_.appends.push_back(dead_letter_record(topic::rejected, partition_, step->log_ts, letter));
    return tx_.appends.size() + tx_.writes.size() < writes_at_once ? expected<void>{} : flush();
  }

  expected<void> flush() {
    auto written = log_.write(std::exchange(tx_, {}));
    return written ? expected<void>{} : expected<void>{tl::unexpected{written.error()}};
  }

  bus& log_;
  std::uint16_t partition_;
  partition_stages stages_;
  transaction tx_;
};

// A row of events that the log no longer holds cannot be made again.
template <class Row> bool is_older(const expected<Row>& row, const std::vector<std::uint64_t>& heads) {
  return row && row->last_offset < head_of(row->symbol, heads);
}

// The ids of signals that were kept; all others come with their signals.
expected<void> write_ids(bus& log) {
  transaction tx;
  auto scanned = scan_signals(log, {}, [&](const signal& x) { return tx.writes.push_back(signal_id_write(x)), true; });
  if (!scanned || tx.writes.empty()) return scanned;
  return log.write(std::move(tx)).map([](const receipt&) {});
}

} // namespace

expected<log_check::copy_plan> plan_of_copy(const log_check& log, const log_judge& rows) {
  log_check::copy_plan out;
  std::vector<std::uint64_t> heads;
  for (int p = 0; p < rows.partitions(); ++p) {
    auto partition = static_cast<std::uint16_t>(p);
    heads.push_back(log.range(topic::events, partition).head);
    auto base = heads.back() == 0 ? std::optional{log_base{}} : rows.base_at(partition, heads.back());
    if (!base)
      return fail(errc::trimmed,
                  fmt::format("partition {}: the log begins at offset {}, and what the stages were there "
                              "cannot be read; restore a backup",
                              p, heads.back()));
    out.empty.push_back({topic::bars, partition, base->next_bar});
    out.empty.push_back({topic::features, partition, base->next_features});
    out.empty.push_back({topic::signals, partition, base->next_signal});
    out.empty.push_back({topic::rejected, partition, base->next_rejected});
  }
  out.keeps_row = [heads](std::string_view table, std::string_view key, std::string_view value) {
    if (table == bars_table) return is_older(bar_from_msgpack(value), heads);
    if (table == features_table) return is_older(feature_vector_from_msgpack(value), heads);
    if (table == signals_table) return is_older(signal_from_msgpack(value), heads);
    return !is_derived_row(table, key);
  };
  return out;
}

expected<void> rebuild(const std::string& directory, int partitions) {
  embedded_bus_options options;
  options.directory = directory;
  options.level = durability::none; // flushed in the end, and of no use before
  auto log = open_embedded_bus(options);
  if (!log) return tl::unexpected{log.error()};
  if (auto written = write_ids(**log); !written) return written;
  transaction made_with;
  made_with.writes.push_back({"node", "partitions", std::to_string(partitions)});
  if (auto written = (*log)->write(std::move(made_with)); !written) return tl::unexpected{written.error()};
  for (int p = 0; p < partitions; ++p)
    if (auto done = partition_rebuild{**log, static_cast<std::uint16_t>(p)}.run(); !done) return done;
  return (*log)->sync();
}

} // namespace finstream
