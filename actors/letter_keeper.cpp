#include "actors/letter_keeper.hpp"

#include "actors/log_entries.hpp"
#include "messages/value/bytes.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>

namespace finstream {

namespace {

constexpr const char* letters_table = "letters"; // by partition: the head they were counted from, and their bytes
constexpr std::size_t read_bytes = 4u << 20;

std::string pack(std::uint64_t head, std::uint64_t bytes) {
  std::string out;
  byte_writer to{out};
  to.number(head), to.number(bytes);
  return out;
}

// The bytes of the letters in [from, to).
expected<std::uint64_t> bytes_between(const bus& log, std::uint16_t partition, std::uint64_t from, std::uint64_t to) {
  std::uint64_t out = 0;
  while (from < to) {
    auto records = log.read(topic::dead_letters, partition, from, read_bytes);
    if (!records) return tl::unexpected{records.error()};
    if (records->empty()) break;
    for (auto& r : *records) {
      if (r.offset >= to) return out;
      out += r.payload.size();
      from = r.next();
    }
  }
  return out;
}

} // namespace

letter_keeper::letter_keeper(node_context* context, std::uint16_t partition)
  : context_{context}, partition_{partition}, path_{partition_path(partition, "appender")} {}

expected<void> letter_keeper::recover() {
  auto range = context_->log->range(topic::dead_letters, partition_);
  if (!range) return tl::unexpected{range.error()};
  auto saved = context_->log->get(letters_table, std::to_string(partition_));
  if (!saved) return tl::unexpected{saved.error()};
  byte_reader in{*saved ? std::string_view{**saved} : std::string_view{}};
  auto head = in.number();
  bytes_ = in.number();
  // Where letters were trimmed since, or there is a log of before they were counted.
  if (!in.done() || head != range->head)
    if (auto counted = count_again(range->head, range->next); !counted) return counted;
  tell();
  return {};
}

expected<void> letter_keeper::count_again(std::uint64_t head, std::uint64_t next) {
  return bytes_between(*context_->log, partition_, head, next).map([&](std::uint64_t x) { bytes_ = x; });
}

void letter_keeper::add_to(transaction& tx, const std::vector<dead_letter>& letters, timestamp log_ts) {
  added_bytes_ = 0;
  if (letters.empty()) return;
  for (auto& letter : letters) {
    tx.appends.push_back(dead_letter_record(topic::dead_letters, partition_, log_ts, letter));
    added_bytes_ += tx.appends.back().payload.size();
  }
  auto range = context_->log->range(topic::dead_letters, partition_);
  tx.writes.push_back(
    {letters_table, std::to_string(partition_), pack(range ? range->head : 0, bytes_ + added_bytes_)});
}

void letter_keeper::on_written() {
  if (added_bytes_ == 0) return;
  bytes_ += std::exchange(added_bytes_, 0);
  auto range = context_->log->range(topic::dead_letters, partition_);
  if (range) trim(*range);
  tell();
}

// A tenth more than are kept may pile up before the oldest go, so that trimming stays rare.
void letter_keeper::trim(log_range range) {
  auto kept = context_->config->limits.dead_letters;
  if (range.next < range.head + kept + kept / 10) return;
  auto gone = bytes_between(*context_->log, partition_, range.head, range.next - kept);
  auto trimmed = gone ? context_->log->trim(topic::dead_letters, partition_, range.next - kept)
                      : expected<std::uint64_t>{tl::unexpected{gone.error()}};
  if (!trimmed) return log::warning(path_, "old dead letters cannot be trimmed: {}", trimmed.error().message);
  if (*trimmed == range.next - kept)
    bytes_ -= std::min(bytes_, *gone);
  else if (auto counted = count_again(*trimmed, range.next); !counted) // a store has yet to get some of them
    log::warning(path_, "the dead letters cannot be counted: {}", counted.error().message);
}

void letter_keeper::tell() {
  auto range = context_->log->range(topic::dead_letters, partition_);
  if (!range) return;
  context_->metrics->dead_letters_kept(partition_).set(static_cast<double>(range->next - range->head));
  context_->metrics->dead_letter_bytes_kept(partition_).set(static_cast<double>(bytes_));
}

} // namespace finstream
