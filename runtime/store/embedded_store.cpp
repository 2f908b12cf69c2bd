// The store in tables of a bus: bars, features and signals in those that the log writes, the rest in its own.
#include "runtime/store/job_store.hpp"
#include "runtime/store/row_cells.hpp"
#include "runtime/store/series_keys.hpp"
#include "runtime/store/store_rules.hpp"

#include "messages/codec/msgpack.hpp"

#include <charconv>
#include <map>
#include <mutex>

namespace finstream {

namespace {

constexpr const char* dead_letters_table = "dead_letter_entries";
constexpr const char* positions_table = "store_positions";

table_write row_write(const job_run& x) { return job_write(x); }
table_write row_write(const dead_letter_entry& x) {
  return {dead_letters_table, store_rules::key(x), row_cells::pack(x)};
}
table_write row_write(const bar& x) { return bar_write(x); }
table_write row_write(const feature_vector& x) { return feature_write(x); }
table_write row_write(const signal& x) { return signal_write(x); }

template <class Row> using row_reader = expected<Row> (*)(std::string_view bytes);
row_reader<bar> reader(const bar&) { return bar_from_msgpack; }
row_reader<feature_vector> reader(const feature_vector&) { return feature_vector_from_msgpack; }
row_reader<job_run> reader(const job_run&) { return job_from_bytes; }
row_reader<dead_letter_entry> reader(const dead_letter_entry&) { return row_cells::unpack<dead_letter_entry>; }

class embedded_store : public store {
public:
  explicit embedded_store(bus& log) : log_{log} {}

  expected<store_receipt> apply(const store_batch& batch) override {
    if (auto sound = store_rules::check(batch); !sound) return tl::unexpected{sound.error()};
    std::lock_guard guard{mutex_};
    store_receipt counts;
    transaction tx;
    expected<void> outcome;
    auto add = [&](const auto& rows, applied_rows& of_table) {
      for (auto* x : store_rules::settle(rows, of_table))
        if (outcome) outcome = add_row(*x, of_table, tx);
    };
    add(batch.bars, counts.bars);
    add(batch.features, counts.features);
    add(batch.signals, counts.signals);
    add(batch.job_runs, counts.job_runs);
    add(batch.dead_letters, counts.dead_letters);
    if (outcome) outcome = add_positions(batch.positions, tx);
    if (!outcome) return tl::unexpected{outcome.error()};
    if (tx.writes.empty()) return counts;
    return log_.write(std::move(tx)).map([&](const receipt&) { return counts; });
  }

  expected<std::optional<std::uint64_t>> position(const log_stream& stream) override {
    std::lock_guard guard{mutex_};
    return find_position(stream);
  }

  expected<void> health() override { return log_.health(); }

  expected<void> bars(const bar_query& query, const std::function<bool(const bar&)>& visit) override {
    std::lock_guard guard{mutex_};
    return scan_bars(log_, query, visit);
  }
  expected<void> features(const feature_query& query,
                          const std::function<bool(const feature_vector&)>& visit) override {
    std::lock_guard guard{mutex_};
    return scan_features(log_, query, visit);
  }
  expected<void> signals(const signal_query& query, const std::function<bool(const signal&)>& visit) override {
    std::lock_guard guard{mutex_};
    return scan_signals(log_, query, visit);
  }
  expected<std::optional<signal>> find_signal(const std::string& signal_id) override {
    std::lock_guard guard{mutex_};
    return finstream::find_signal(log_, signal_id);
  }
  expected<void> job_runs(const std::function<bool(const job_run&)>& visit) override {
    std::lock_guard guard{mutex_};
    return scan_jobs(log_, visit);
  }
  expected<void> dead_letters(const std::function<bool(const dead_letter_entry&)>& visit) override {
    std::lock_guard guard{mutex_};
    return scan_table<dead_letter_entry>(dead_letters_table, visit);
  }

  expected<store_counts> counts() override {
    std::lock_guard guard{mutex_};
    store_counts out;
    expected<void> outcome;
    for (auto [table, count] : {std::pair{bars_table, &out.bars},
                                {features_table, &out.features},
                                {signals_table, &out.signals},
                                {job_runs_table, &out.job_runs},
                                {dead_letters_table, &out.dead_letters}})
      if (outcome)
        outcome = log_.scan(table, {}, {}, [&, n = count](std::string_view, std::string_view) { return ++*n, true; });
    return outcome.map([&] { return out; });
  }

private:
  // What of the row is there.
  template <class Row> expected<std::optional<Row>> present(const Row& x) {
    auto write = row_write(x);
    auto value = log_.get(write.table, write.key);
    if (!value) return tl::unexpected{value.error()};
    if (!*value) return std::optional<Row>{};
    return reader(x)(**value).map([](Row row) { return std::optional{std::move(row)}; });
  }
  expected<std::optional<signal>> present(const signal& x) { return finstream::find_signal(log_, x.signal_id); }

  template <class Row> expected<void> add_row(const Row& x, applied_rows& counts, transaction& tx) {
    auto there = present(x);
    if (!there) return tl::unexpected{there.error()};
    auto outcome = *there ? store_rules::judge(x, **there) : store_rules::verdict::apply;
    store_rules::count(outcome, counts);
    if (outcome != store_rules::verdict::apply) return {};
    tx.writes.push_back(row_write(x));
    if constexpr (std::is_same_v<Row, signal>) tx.writes.push_back(signal_id_write(x));
    return {};
  }

  expected<void> add_positions(const std::vector<stream_position>& positions, transaction& tx) {
    // Two of one stream: the higher, wherever it stands.
    std::map<log_stream, std::uint64_t> next;
    for (auto& x : positions) next[x.stream] = std::max(next[x.stream], x.next);
    for (auto& [stream, offset] : next) {
      auto there = find_position(stream);
      if (!there) return tl::unexpected{there.error()};
      if (*there && **there >= offset) continue;
      tx.writes.push_back({positions_table, store_rules::key(stream), std::to_string(offset)});
    }
    return {};
  }

  expected<std::optional<std::uint64_t>> find_position(const log_stream& stream) const {
    auto value = log_.get(positions_table, store_rules::key(stream));
    if (!value) return tl::unexpected{value.error()};
    if (!*value) return std::optional<std::uint64_t>{};
    std::uint64_t out = 0;
    auto* end = (*value)->data() + (*value)->size();
    if (std::from_chars((*value)->data(), end, out).ptr != end)
      return fail(errc::corrupt_record, "a position of the store is not a number: " + **value);
    return std::optional{out};
  }

  template <class Row> expected<void> scan_table(const char* name, const std::function<bool(const Row&)>& visit) const {
    return series_keys::scan(log_, series_keys::table<Row>{name, row_cells::unpack<Row>, nullptr}, {}, {}, visit);
  }

  bus& log_;
  std::mutex mutex_; // between what is there and what is written
};

} // namespace

std::unique_ptr<store> open_embedded_store(bus& log) { return std::make_unique<embedded_store>(log); }

} // namespace finstream
