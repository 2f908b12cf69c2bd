#include "runtime/bus/journal_copy.hpp"

#include "messages/planted.hpp"

#include <fmt/format.h>
#include <limits>
#include <span>
#include <utility>

namespace finstream {

namespace {
constexpr std::size_t read_messages = 1000;
constexpr std::size_t read_bytes = 4u << 20;
constexpr auto last_part = std::numeric_limits<std::uint32_t>::max();
} // namespace

new_record buffer_record(journal_id id, timestamp log_ts, std::string block) {
  return {buffer_of(id.side), id.partition, record_kind::entry, 1, log_ts, std::move(block)};
}

expected<timestamp> last_entry_ts(const bus& local, journal_id id) {
  auto range = local.range(buffer_of(id.side), id.partition);
  if (!range) return tl::unexpected{range.error()};
  if (range->next == range->head) return earliest;
  auto last = local.read(buffer_of(id.side), id.partition, range->next - 1, 1);
  if (!last) return tl::unexpected{last.error()};
  return last->front().log_ts;
}

expected<void> trim_buffer(bus& local, journal_id id, std::uint64_t shipped, timestamp older_than) {
  auto where = buffer_of(id.side);
  auto range = local.range(where, id.partition);
  if (!range) return tl::unexpected{range.error()};
  if (range->next == 0) return {};
  auto keep = local.offset_at(where, id.partition, older_than);
  if (!keep) return tl::unexpected{keep.error()};
  return local.trim(where, id.partition, std::min({*keep, shipped, range->next - 1})).map([](std::uint64_t) {});
}

journal_copy::journal_copy(bus& local, journal_id id, std::string stream, std::uint64_t log_id, const clock& time)
  : local_{local}, id_{id}, stream_{std::move(stream)}, log_id_{log_id}, time_{time} {}

expected<std::uint64_t> journal_copy::catch_up(broker& from, std::size_t most_messages) {
  applied_ = 0;
  auto stop = [this](failure why) -> expected<std::uint64_t> {
    knows_where_ = false;
    return tl::unexpected{std::move(why)};
  };
  if (!knows_where_)
    if (auto begun = from.open_stream(stream_).and_then([this] { return begin(); }); !begun) return stop(begun.error());
  for (std::size_t read = 0;;) {
    auto messages = from.read(stream_, after_, read_messages, read_bytes);
    if (!messages && messages.error().code == errc::trimmed && std::exchange(checks_, false)) {
      after_ = {next_, last_part}; // the stream no longer has what is to be compared
      continue;
    }
    if (!messages)
      return stop({messages.error().code,
                   fmt::format("{}. This machine has {} entries of the log", messages.error().message, next_)});
    if (messages->empty()) return applied_;
    read += messages->size();
    for (auto& x : *messages)
      if (auto taken = take(x); !taken) return stop(taken.error());
    after_ = messages->back().number;
    if (read >= most_messages) return applied_;
  }
}

// The last entry that is here is looked at once more: each was published behind the one before it, so if that is the
// same in both, all before it is.
expected<void> journal_copy::begin() {
  auto range = local_.range(buffer_of(id_.side), id_.partition);
  if (!range) return tl::unexpected{range.error()};
  auto last_ts = last_entry_ts(local_, id_);
  if (!last_ts) return tl::unexpected{last_ts.error()};
  next_ = range->next;
  last_ts_ = *last_ts;
  checks_ = range->next > range->head;
  after_ = {checks_ ? next_ - 1 : next_, last_part};
  if (planted(fault::catches_up_one_too_far)) checks_ = false, after_ = {next_ + 1, last_part};
  messages_ = {}, blocks_ = {}, pieces_.clear();
  begun_ = false;
  knows_where_ = true;
  return {};
}

expected<void> journal_copy::take(const broker_message& x) {
  if (x.log_id != log_id_)
    return fail(errc::conflict, fmt::format("stream {} of the broker holds another log; give this one streams of its "
                                            "own",
                                            stream_));
  auto block = messages_.add(x);
  if (!block) return tl::unexpected{at(block.error(), x)};
  begun_ = !*block;
  if (begun_) return {};
  if (checks_) return check(**block);
  if ((*block)->empty()) {
    auto given_up = std::exchange(pieces_, {});
    given_up.emplace_back();
    blocks_ = {};
    return apply({}, std::move(given_up)).map([](std::uint64_t) {});
  }
  auto whole = blocks_.add(**block);
  if (!whole) return tl::unexpected{at(whole.error(), x)};
  pieces_.push_back(std::move(**block));
  if (!*whole) return {};
  if ((*whole)->epoch != local_.recovery().epoch)
    return fail(errc::conflict, fmt::format("stream {} of the broker is of epoch {}, this log of {}", stream_,
                                            (*whole)->epoch, local_.recovery().epoch));
  return apply(std::move((*whole)->what), std::exchange(pieces_, {})).map([](std::uint64_t) {});
}

expected<void> journal_copy::check(const std::string& block) {
  checks_ = false;
  auto here = local_.read(buffer_of(id_.side), id_.partition, next_ - 1, 1);
  if (!here) return tl::unexpected{here.error()};
  if (!here->empty() && here->front().payload == block) return {};
  return fail(errc::conflict,
              fmt::format("entry {} of stream {} of the broker is not the one that was written here: another node "
                          "has written to it. `finstream buffer export` prints what is here alone; then give this "
                          "node an empty data directory",
                          next_, stream_));
}

expected<std::uint64_t> journal_copy::give_up() {
  auto given_up = std::exchange(pieces_, {});
  given_up.emplace_back();
  blocks_ = {}, messages_ = {};
  begun_ = false;
  after_ = {next_ + given_up.size(), last_part};
  auto done = apply({}, std::move(given_up));
  if (!done) knows_where_ = false;
  return done;
}

expected<void> journal_copy::give_up_there(broker& to) {
  auto next = begun_ ? message_number{after_.transaction, after_.part + 1} : message_number{after_.transaction + 1, 0};
  auto end = void_message(next, log_id_);
  return to.publish(stream_, after_, std::span{&end, 1});
}

void journal_copy::pass(std::uint64_t entries) {
  next_ += entries;
  after_ = {next_, last_part};
  checks_ = false;
}

expected<std::uint64_t> journal_copy::apply(transaction tx, std::vector<std::string> blocks) {
  auto count = blocks.size();
  auto log_ts = next_ts();
  for (auto& x : blocks) tx.appends.push_back(buffer_record(id_, log_ts, std::move(x)));
  // Outputs may be read here before all the events that they were made of.
  for (auto& x : tx.commits) {
    auto range = local_.range(x.where, x.partition);
    if (!range) return tl::unexpected{range.error()};
    x.offset = std::min(x.offset, range->next);
  }
  auto written = local_.write(std::move(tx));
  if (!written) return tl::unexpected{written.error()};
  next_ += count;
  applied_ += count;
  return count;
}

failure journal_copy::at(const failure& why, const broker_message& x) const {
  return {why.code, fmt::format("stream {} of the broker at {}-{}: {}", stream_, x.number.transaction, x.number.part,
                                why.message)};
}

} // namespace finstream
