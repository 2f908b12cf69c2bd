#include "runtime/bus/brokered_bus.hpp"

#include "messages/planted.hpp"
#include "runtime/bus/follower.hpp"
#include "runtime/bus/journal_copy.hpp"
#include "runtime/bus/shipper.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace finstream {

std::string stream_of(const broker_link_options& options, journal_id id) {
  auto& name = id.side == journal_side::events ? options.events_stream : options.outputs_stream;
  return id.partition == 0 ? name : fmt::format("{}:{}", name, id.partition);
}

std::vector<journal_id> journals_of(const broker_link_options& options) {
  std::vector<journal_id> out;
  for (auto side : {journal_side::events, journal_side::outputs})
    for (int p = 0; p < options.partitions; ++p) out.push_back({side, static_cast<std::uint16_t>(p)});
  return out;
}

bool is_followed(const broker_link_options& options, journal_id id) {
  return id.side == journal_side::events ? !options.writes_events : options.claims_outputs;
}

brokered_bus::brokered_bus(std::unique_ptr<bus> local, std::uint64_t log_id, broker_link_options options,
                           std::unique_ptr<broker> to, const char* driver, std::unique_ptr<broker> from)
  : local_{std::move(local)}, log_id_{log_id}, options_{std::move(options)}, driver_{driver} {
  std::vector<journal_id> own, followed;
  for (auto id : journals_of(options_)) (is_followed(options_, id) ? followed : own).push_back(id);
  ensure(from || followed.empty(), "what is followed has a connection");
  for (auto id : own) journals_[id] = std::make_unique<journal>();
  shipper_ = std::make_unique<shipper>(*local_, log_id, options_, std::move(to), own);
  follower_ = std::make_unique<follower>(*local_, log_id, options_, std::move(from), followed);
}

brokered_bus::~brokered_bus() = default;

void brokered_bus::start() {
  shipper_->start();
  follower_->start();
}

expected<void> brokered_bus::claim(std::uint16_t partition) {
  return follower_->claim({journal_side::outputs, partition});
}

void brokered_bus::release(std::uint16_t partition) { follower_->release({journal_side::outputs, partition}); }

expected<receipt> brokered_bus::write(transaction tx) {
  auto id = journal_of(tx);
  if (!id) return tl::unexpected{id.error()};
  if (!*id) return local_->write(std::move(tx));
  if (journals_.contains(**id)) return write_here(**id, std::move(tx));
  if (!follower_->knows(**id))
    return fail(errc::invalid_argument,
                fmt::format("append to partition {}: this log has {}", (*id)->partition, options_.partitions));
  auto blocks = encode_blocks(tx, recovery().epoch, options_.packed);
  return follower_->write(**id, std::move(tx), std::move(blocks));
}

expected<receipt> brokered_bus::write_here(journal_id id, transaction tx) {
  if (auto well = shipper_->state(); !well) return tl::unexpected{well.error()};
  auto& mine = *journals_.at(id);
  std::unique_lock in_order{mine.writing};
  if (!mine.last_ts) {
    auto last_ts = last_entry_ts(*local_, id);
    if (!last_ts) return tl::unexpected{last_ts.error()};
    mine.last_ts = *last_ts;
  }
  auto blocks = encode_blocks(tx, recovery().epoch, options_.packed);
  std::uint64_t bytes = 0;
  std::uint32_t events = 0;
  for (auto& x : blocks) bytes += x.size(), events += events_of_block(x).value_or(0);
  auto room = check_room(bytes);
  is_full_ = !room;
  if (!room) return tl::unexpected{room.error()};
  auto appends = tx.appends.size();
  mine.last_ts = std::max(*mine.last_ts, options_.time->now()); // a write that fails may be there all the same
  for (auto& x : blocks) tx.appends.push_back(buffer_record(id, *mine.last_ts, std::move(x)));
  auto done = local_->write(std::move(tx));
  if (!done) return done;
  auto number = done->offsets.back() + 1;
  done->offsets.resize(appends);
  shipper_->written(id, number, bytes, events);
  in_order.unlock();
  auto is_there = shipper_->wait_for(id, number, options_.acknowledge_timeout_ms * millisecond);
  done->level = is_there ? durability::broker : durability::buffered;
  return done;
}

expected<void> brokered_bus::check_room(std::size_t bytes) const {
  auto unsent = shipper_->unsent_bytes();
  if (unsent + bytes <= options_.buffer_max_bytes || unsent == 0) return {};
  if (planted(fault::full_buffer_takes_more)) return {};
  return no_room(unsent);
}

tl::unexpected<failure> brokered_bus::no_room(std::uint64_t unsent) const {
  return fail(errc::disk_full,
              fmt::format("the buffer before the broker holds {} bytes and may hold {} (bus.buffer.max_bytes): "
                          "nothing more is taken until the broker is back",
                          unsent, options_.buffer_max_bytes));
}

expected<void> brokered_bus::sync() {
  auto done = local_->sync();
  shipper_->wait_for_all(options_.acknowledge_timeout_ms * millisecond);
  return done;
}

expected<void> brokered_bus::health() const {
  if (auto well = shipper_->state(); !well) return well;
  if (auto well = follower_->state(); !well) return well;
  if (is_full_) return no_room(shipper_->unsent_bytes());
  return local_->health();
}

buffer_state brokered_bus::buffer() const { return shipper_->buffer(); }

} // namespace finstream
