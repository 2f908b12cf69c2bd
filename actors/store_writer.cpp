#include "actors/store_writer.hpp"

#include "actors/set_aside.hpp"
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
    [this](verb::set_aside, const std::string& key, bool done) {
      if (done) waiting_.erase(key); // else it is asked for again
    },
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
  without_refused_.reset(); // it may not have been stored, and is repeated
  waiting_.clear();
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
  for (auto& [key, what] : waiting_) send_set_aside(what);
  if (!waiting_.empty()) return false;
  if (without_refused_) return finish(*std::exchange(without_refused_, std::nullopt)).map([] { return true; });
  if (auto jobs = write_jobs(); !jobs) return tl::unexpected{jobs.error()};
  auto batch = gather();
  if (!batch) return tl::unexpected{batch.error()};
  if (batch->positions.empty()) return false;
  auto rows = batch_of(batch->rows);
  rows.positions = batch->positions;
  auto began = context_->time->monotonic();
  auto receipt = store_->apply(rows);
  write_seconds_->observe(static_cast<double>(context_->time->monotonic() - began) / 1e9);
  if (!receipt && receipt.error().code == errc::invalid_argument)
    return write_without_refused(std::move(*batch), receipt.error());
  refusals_ = 0;
  if (!receipt) return lose(receipt.error());
  count(*receipt);
  return pass(batch->reached).map([] { return true; });
}

tl::unexpected<failure> store_writer_state::lose(const failure& why) {
  store_ = nullptr; // another one says where it is
  return tl::unexpected{why};
}

// Nobody knows which of the rows it is: each is tried, until the refused ones are alone.
expected<bool> store_writer_state::write_without_refused(gathered batch, const failure& why) {
  if (refusals_++ == 0) first_refusal_ = context_->time->now();
  if (refusals_ < context_->config->stores.refused_attempts) return tl::unexpected{why};
  auto refused = apply_but_refused(*store_, batch.rows, [this](const store_receipt& x) { count(x); });
  if (!refused) return lose(refused.error());
  for (auto& x : *refused) {
    // A letter about a letter would be refused as well, and that one's letter too.
    if (std::holds_alternative<dead_letter_entry>(x.row->what)) {
      log::error(path_, "letter {} is not delivered: {}", x.row->place(), x.why.message);
      context_->metrics->errors("store/" + store_name_, std::string{to_string(errc::undeliverable)}).add();
      continue;
    }
    auto what = std::make_shared<const set_aside_request>(letter_of(
      x, store_name_, first_refusal_, context_->time->now(), refusals_, context_->config->limits.dead_letter_bytes));
    waiting_[what->key] = what;
    send_set_aside(what);
  }
  refusals_ = 0;
  without_refused_ = std::move(batch);
  return waiting_.empty();
}

// One that crashed meanwhile is asked again at the next pulse.
void store_writer_state::send_set_aside(const set_aside_ptr& what) {
  if (auto setter = find_aside_setter(*context_, what->partition))
    self_->send(setter, verb::set_aside_v, what, set_aside_listener{self_});
}

// The rows are stored, and the letters of the others are in the log.
expected<void> store_writer_state::finish(const gathered& batch) {
  store_batch positions;
  positions.positions = batch.positions;
  if (auto receipt = store_->apply(positions); !receipt) return lose(receipt.error());
  return pass(batch.reached);
}

expected<void> store_writer_state::pass(const std::vector<stream>& reached) {
  streams_ = reached;
  failures_ = 0;
  last_failure_.clear();
  return commit(streams_);
}

expected<store_writer_state::gathered> store_writer_state::gather() const {
  gathered out;
  out.reached = streams_;
  for (auto& x : out.reached) {
    if (out.rows.size() >= context_->config->stores.batch_rows) break;
    auto next = gather(x, out.rows);
    if (!next) return tl::unexpected{next.error()};
    if (*next == x.next) continue;
    x.next = *next;
    out.positions.push_back({x.where, x.next});
  }
  return out;
}

// Runs of jobs are few, and have no place in a topic: they are looked through whenever one was written.
expected<void> store_writer_state::write_jobs() {
  auto written = context_->figures->jobs_written.load() + 1; // those of earlier lives of the node count as one
  if (written == jobs_seen_) return {};
  store_batch fresh;
  auto read = scan_jobs(*context_->log, [&](const job_run& x) {
    auto known = jobs_.find(x.id);
    if (known == jobs_.end() || known->second != std::pair{x.status, x.rows}) fresh.job_runs.push_back(x);
    return true;
  });
  if (!read) return read;
  auto receipt = store_->apply(fresh);
  if (!receipt && receipt.error().code != errc::invalid_argument) return lose(receipt.error());
  jobs_seen_ = written;
  if (!receipt) return note_failure(receipt.error()), expected<void>{}; // the rows must not wait for it
  count(*receipt);
  for (auto& x : fresh.job_runs) jobs_[x.id] = {x.status, x.rows};
  return {};
}

// Gives the offset behind what was added.
expected<std::uint64_t> store_writer_state::gather(const stream& from, std::vector<refusable_row>& into) const {
  auto records = context_->log->read(from.where.where, from.where.partition, from.next, read_bytes);
  if (!records) return tl::unexpected{records.error()};
  auto next = from.next;
  for (auto& r : *records) {
    if (auto added = add_rows(into, from.where, r); !added) return tl::unexpected{added.error()};
    next = r.next();
    if (into.size() >= context_->config->stores.batch_rows) break;
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
  context_->metrics->stream_consumer_errors("outputs", store_name_).add();
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
