#include "actors/store_writer.hpp"

#include "actors/log_entries.hpp"
#include "messages/codec/msgpack.hpp"
#include "runtime/log/log.hpp"
#include "runtime/store/job_store.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace finstream {

namespace {

constexpr topic written_topics[] = {topic::bars, topic::features, topic::signals, topic::dead_letters, topic::rejected};
constexpr std::size_t read_bytes = 1u << 20; // of a stream at a time
constexpr nanoseconds stop_patience = second;
constexpr auto shortest_pause = std::chrono::milliseconds{200};
constexpr auto longest_pause = std::chrono::milliseconds{10'000};

std::size_t rows_of(const store_batch& x) {
  return x.bars.size() + x.features.size() + x.signals.size() + x.dead_letters.size();
}

void add_derived(store_batch& into, std::vector<derived> items) {
  for (auto& item : items) {
    if (auto* b = std::get_if<bar>(&item)) into.bars.push_back(std::move(*b));
    if (auto* v = std::get_if<feature_vector>(&item)) into.features.push_back(std::move(*v));
    if (auto* s = std::get_if<signal>(&item)) into.signals.push_back(std::move(*s));
  }
}

} // namespace

void store_writer_state::prepare(node_context* context, std::string store_name, store_opener open) {
  context_ = context;
  store_name_ = std::move(store_name);
  path_ = "/consumers/" + store_name_;
  open_ = std::move(open);
}

store_writer_state::interface::behavior_type store_writer_state::behavior() {
  lag_items_ = &context_->metrics->store_lag_items(store_name_);
  write_seconds_ = &context_->metrics->store_write_seconds(store_name_);
  auto epoch = context_->log->recovery().epoch;
  for (int p = 0; p < context_->config->partitions; ++p)
    for (auto where : written_topics) streams_.push_back({{epoch, where, static_cast<std::uint16_t>(p)}, 0});
  self_->send(self_, verb::pulse_v);
  return {
    [this](verb::pulse) { on_pulse(); },
    [this](verb::stop) {
      // What there is still, for a while: the log keeps the rest, and the store says where to go on.
      auto until = context_->time->monotonic() + stop_patience;
      while (store_ && context_->time->monotonic() < until && write_batch().value_or(false)) {
      }
      self_->quit();
    },
    [this](verb::status) { return status(); },
  };
}

void store_writer_state::on_pulse() {
  auto pause = std::chrono::milliseconds{context_->config->stores.poll_interval_ms};
  auto written = store_ ? expected<void>{} : open();
  auto more = false;
  if (written) {
    auto batch = write_batch();
    if (batch)
      more = *batch;
    else
      written = tl::unexpected{batch.error()};
  }
  if (!written) {
    note_failure(written.error());
    pause = std::min(longest_pause, shortest_pause * (1 << std::min(failures_, 6)));
  }
  lag_items_->set(static_cast<double>(lag()));
  if (more)
    self_->send(self_, verb::pulse_v);
  else
    self_->delayed_send(self_, pause, verb::pulse_v);
}

expected<void> store_writer_state::open() {
  auto opened = open_();
  if (!opened) return tl::unexpected{opened.error()};
  for (auto& x : streams_) {
    auto known = (*opened)->position(x.where);
    if (!known) return tl::unexpected{known.error()};
    auto begin = begin_of(x.where);
    if (!begin) return tl::unexpected{begin.error()};
    if (*known && **known < *begin)
      log::warning(path_, "{}/{} is kept from {} on, and the store ends at {}: what lies between is not in the store",
                   to_string(x.where.where), x.where.partition, *begin, **known);
    x.next = std::max(known->value_or(*begin), *begin);
  }
  store_ = std::move(*opened);
  jobs_seen_ = 0;
  jobs_.clear();
  if (failures_ > 0) log::info(path_, "the store is there again; {} items wait in the log", lag());
  failures_ = 0;
  last_failure_.clear();
  return commit(streams_); // from here on nothing is trimmed that the store lacks
}

expected<std::uint64_t> store_writer_state::begin_of(const log_stream& where) const {
  auto range = context_->log->range(where.where, where.partition);
  if (!range) return tl::unexpected{range.error()};
  return range->head;
}

expected<bool> store_writer_state::write_batch() {
  store_batch batch;
  auto reached = streams_;
  for (auto& x : reached) {
    if (rows_of(batch) >= context_->config->stores.batch_rows) break;
    auto next = gather(x, batch);
    if (!next) return tl::unexpected{next.error()};
    if (*next == x.next) continue;
    x.next = *next;
    batch.positions.push_back({x.where, x.next});
  }
  if (auto added = add_jobs(batch); !added) return tl::unexpected{added.error()};
  if (batch.positions.empty() && batch.job_runs.empty()) return false;
  auto began = context_->time->monotonic();
  auto receipt = store_->apply(batch);
  write_seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
  if (!receipt) {
    store_ = nullptr; // another one says where it is
    return tl::unexpected{receipt.error()};
  }
  count(*receipt);
  for (auto& x : batch.job_runs) jobs_[x.id] = {x.status, x.rows};
  streams_ = reached;
  if (auto committed = commit(reached); !committed) return tl::unexpected{committed.error()};
  return true;
}

// Runs of jobs are few, and have no place in a topic: they are looked through whenever one was written.
expected<void> store_writer_state::add_jobs(store_batch& into) {
  auto written = context_->figures->jobs_written.load() + 1; // those of earlier lives of the node count as one
  if (written == jobs_seen_) return {};
  auto read = scan_jobs(*context_->log, [&](const job_run& x) {
    auto known = jobs_.find(x.id);
    if (known == jobs_.end() || known->second != std::pair{x.status, x.rows}) into.job_runs.push_back(x);
    return true;
  });
  if (read) jobs_seen_ = written;
  return read;
}

// Gives the offset behind what was added.
expected<std::uint64_t> store_writer_state::gather(stream& from, store_batch& into) const {
  auto [epoch, where, partition] = from.where;
  auto records = context_->log->read(where, partition, from.next, read_bytes);
  if (!records) return tl::unexpected{records.error()};
  auto next = from.next;
  for (auto& r : *records) {
    if (r.kind == record_kind::dead_letter) {
      auto letter = dead_letter_from_msgpack(r.payload);
      if (!letter) return tl::unexpected{letter.error()};
      auto stage = where == topic::dead_letters ? "ingestor" : "window";
      into.dead_letters.push_back({epoch, where, partition, r.offset, letter->feed, stage, letter->code, letter->reason,
                                   letter->seen_ts, letter->seen_ts, 1, std::move(letter->bytes)});
    } else {
      auto items = derived_from_msgpack(r.payload);
      if (!items) return tl::unexpected{items.error()};
      add_derived(into, std::move(*items));
    }
    next = r.next();
    if (rows_of(into) >= context_->config->stores.batch_rows) break;
  }
  return next;
}

expected<void> store_writer_state::commit(const std::vector<stream>& reached) {
  transaction tx;
  for (auto& x : reached) tx.commits.push_back({store_name_, x.where.where, x.where.partition, x.next});
  auto written = context_->log->write(std::move(tx));
  if (!written) return tl::unexpected{written.error()};
  return {};
}

void store_writer_state::note_failure(const failure& why) {
  ++failures_;
  context_->metrics->errors(store_name_, std::string{to_string(why.code)}).add();
  if (why.message == last_failure_) return; // said already
  last_failure_ = why.message;
  log::error(path_, "{}; the log keeps what is to come, and it is tried again", why.message);
}

void store_writer_state::count(const store_receipt& receipt) {
  for (auto* x : {&receipt.bars, &receipt.features, &receipt.signals, &receipt.job_runs, &receipt.dead_letters}) {
    rows_ += x->applied;
    if (x->conflicts != 0) context_->metrics->errors(store_name_, "conflict").add(x->conflicts);
  }
}

std::uint64_t store_writer_state::lag() const {
  std::uint64_t out = 0;
  for (auto& x : streams_)
    if (auto range = context_->log->range(x.where.where, x.where.partition); range && range->next > x.next)
      out += range->next - x.next;
  return out;
}

status_report store_writer_state::status() const {
  return {path_, fmt::format(R"({{"connected":{},"rows":{},"lag_items":{},"failures":{}}})", store_ != nullptr, rows_,
                             lag(), failures_)};
}

} // namespace finstream
