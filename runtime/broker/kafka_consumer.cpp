#include "runtime/broker/kafka_consumer.hpp"

#include "runtime/broker/kafka_admin.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <list>
#include <mutex>

namespace finstream {

namespace {

constexpr int least_session_ms = 6000;                 // what brokers allow where nobody has set another limit
constexpr nanoseconds poll_at_most = 20 * millisecond; // then we look at what the group has said
constexpr int sound_since = 0x02030000;                // the version of the library

// Before 2.3 the library aborts the program when a client with this assignor is destroyed before its group has told it
// what it has (https://github.com/confluentinc/librdkafka/issues/4312): such a one is left alone instead.
struct left_alone {
  std::mutex mutex;
  std::list<kafka_client> clients;
};
left_alone& never_destroyed() {
  static auto& out = *new left_alone;
  return out;
}
constexpr std::size_t most_left_alone = 16; // each has threads, and goes on knocking

} // namespace

kafka_consumer::kafka_consumer(kafka_session& session, std::string topic, std::string group_id, std::string name,
                               const broker_options& options)
  : session_{session}, topic_{std::move(topic)}, group_id_{std::move(group_id)}, name_{std::move(name)},
    silent_ms_{std::max(options.stale_after_ms, least_session_ms)}, max_pending_{static_cast<std::size_t>(
                                                                      options.max_pending_messages)} {}

expected<void> kafka_consumer::join() {
  auto made = session_.make(
    RD_KAFKA_CONSUMER,
    {{"group.id", group_id_},
     {"client.id", name_},
     {"partition.assignment.strategy", "cooperative-sticky"},
     {"enable.auto.commit", "false"},
     {"enable.auto.offset.store", "false"},
     {"auto.offset.reset", "earliest"},
     {"isolation.level", "read_uncommitted"},
     {"enable.partition.eof", "true"},
     {"session.timeout.ms", std::to_string(silent_ms_)},
     {"max.poll.interval.ms", std::to_string(silent_ms_)},
     {"heartbeat.interval.ms", std::to_string(std::min(silent_ms_ / 4, 3000))},
     {"fetch.wait.max.ms", "100"},
     {"fetch.error.backoff.ms", "20"},
     {"queued.max.messages.kbytes", "16384"}},
    [](rd_kafka_conf_t& conf, void*) {
      rd_kafka_conf_set_error_cb(&conf, &kafka_consumer::on_error);
      rd_kafka_conf_set_rebalance_cb(&conf, &kafka_consumer::on_rebalance);
    },
    this);
  if (!made) return tl::unexpected{made.error()};
  client_ = std::move(*made);
  rd_kafka_poll_set_consumer(client_.get());
  auto wanted = partition_of(topic_);
  wanted->elems[0].partition = RD_KAFKA_PARTITION_UA;
  ensure(rd_kafka_subscribe(client_.get(), wanted.get()) == RD_KAFKA_RESP_ERR_NO_ERROR, "a topic can be subscribed to");
  return {};
}

kafka_consumer::~kafka_consumer() {
  if (!client_) return;
  kept_.clear();
  rd_kafka_consumer_close(client_.get());
  if (was_member_ || rd_kafka_version() >= sound_since) return;
  auto& others = never_destroyed();
  std::lock_guard guard{others.mutex};
  others.clients.push_back(std::move(client_));
}

bool kafka_consumer::may_be_replaced() const {
  if (is_assigned_ || !heard_.is_refusal()) return false;
  if (was_member_ || rd_kafka_version() >= sound_since) return true;
  auto& others = never_destroyed();
  std::lock_guard guard{others.mutex};
  return others.clients.size() < most_left_alone;
}

void kafka_consumer::on_error(rd_kafka_t*, int error, const char* reason, void* self) {
  static_cast<kafka_consumer*>(self)->heard_.hear(error, reason);
}

void kafka_consumer::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                                  rd_kafka_topic_partition_list_t* partitions, void* self) {
  auto& it = *static_cast<kafka_consumer*>(self);
  it.was_member_ = true;
  bool is_given = what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  if (is_given) it.heard_ = {}; // whatever it was, it is in now
  auto* error =
    is_given ? rd_kafka_incremental_assign(client, partitions) : rd_kafka_incremental_unassign(client, partitions);
  if (error != nullptr) rd_kafka_error_destroy(error); // it leaves the group, and joins again
  if (partitions->cnt == 0) return;
  it.forget_stream();
  it.is_assigned_ = is_given;
}

// Who has it now is handed all again that is not committed.
void kafka_consumer::forget_stream() {
  is_assigned_ = false;
  next_.reset();
  pending_.clear();
  kept_.clear();
  is_uncommitted_ = false;
}

expected<void> kafka_consumer::find_next() {
  auto committed = committed_offset(session_, topic_, group_id_);
  if (!committed) return tl::unexpected{committed.error()};
  next_ = committed->value_or(0);
  return {};
}

kafka_record kafka_consumer::poll(nanoseconds patience) {
  if (!kept_.empty()) {
    auto out = std::move(kept_.front());
    kept_.pop_front();
    return out;
  }
  return kafka_record{rd_kafka_consumer_poll(client_.get(), static_cast<int>(patience / millisecond))};
}

expected<std::vector<taken_message>> kafka_consumer::take(std::int64_t end, std::size_t limit, nanoseconds patience) {
  std::vector<taken_message> out;
  auto until = system_clock().monotonic() + patience;
  do {
    if (is_assigned_ && !next_)
      if (auto found = find_next(); !found) return tl::unexpected{found.error()};
    bool comes = !was_member_ || (next_ && *next_ < end);
    if (comes && session_.is_over()) {
      if (!was_member_) break; // groups take their time: next time
      return session_.lost("taking messages", "nothing has come in time");
    }
    auto left = comes ? session_.left_ms() * millisecond : until - system_clock().monotonic();
    if (!comes && (!out.empty() || left <= 0)) left = 0;
    if (out.size() >= limit || pending_.size() >= max_pending_) break;
    auto record = poll(std::min(left, poll_at_most));
    if (!record) {
      if (left <= 0) break;
      continue;
    }
    if (auto handed = hand_out(std::move(record), out); !handed) return tl::unexpected{handed.error()};
  } while (true);
  if (out.empty() && !is_assigned_ && heard_.is_refusal()) return session_.refused("taking messages", heard_);
  return out;
}

expected<void> kafka_consumer::hand_out(kafka_record record, std::vector<taken_message>& to) {
  switch (record->err) {
  case RD_KAFKA_RESP_ERR_NO_ERROR: break;
  case RD_KAFKA_RESP_ERR__PARTITION_EOF:
    if (next_) next_ = std::max(*next_, record->offset);
    heard_ = {};
    return {};
  case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED: return {}; // it was silent for too long, and joins again
  default: return session_.failed("taking messages", record->err, rd_kafka_message_errstr(record.get()));
  }
  auto x = kafka_messages::message_of(*record);
  if (!x) { // nothing is handed out that is behind it
    kept_.push_front(std::move(record));
    return tl::unexpected{x.error()};
  }
  next_ = record->offset + 1;
  heard_ = {};
  if (!x->counts) return {};
  pending_[record->offset] = {x->what.number, system_clock().monotonic()};
  to.push_back({std::move(x->what), 1});
  return {};
}

expected<void> kafka_consumer::acknowledge(std::span<const message_number> numbers) {
  auto count = std::erase_if(
    pending_, [&](const auto& x) { return std::ranges::find(numbers, x.second.number) != numbers.end(); });
  if (count > 0) is_uncommitted_ = true;
  return is_uncommitted_ ? commit() : expected<void>{};
}

// Up to the first that is not acknowledged: Kafka knows no more than one offset.
expected<void> kafka_consumer::commit() {
  std::unique_ptr<rd_kafka_queue_t, kafka_deleter<rd_kafka_queue_destroy>> answers{rd_kafka_queue_new(client_.get())};
  auto offsets = partition_of(topic_, pending_.empty() ? *next_ : pending_.begin()->first);
  auto error = rd_kafka_commit_queue(client_.get(), offsets.get(), answers.get(), nullptr, nullptr);
  std::unique_ptr<rd_kafka_event_t, kafka_deleter<rd_kafka_event_destroy>> answer;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    answer.reset(rd_kafka_queue_poll(answers.get(), session_.left_ms()));
    error = answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT;
  }
  switch (error) {
  case RD_KAFKA_RESP_ERR_NO_ERROR: break;
  case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID: // another has the stream by now, and is handed it again
  case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION: forget_stream(); break;
  default: return session_.failed("acknowledging messages of group " + group_id_, error);
  }
  is_uncommitted_ = false;
  return {};
}

// Polling is what Kafka takes for being at work.
void kafka_consumer::keep() {
  if (kafka_record record{rd_kafka_consumer_poll(client_.get(), 0)}) kept_.push_back(std::move(record));
}

nanoseconds kafka_consumer::oldest_idle() const {
  return pending_.empty() ? 0 : system_clock().monotonic() - pending_.begin()->second.since;
}

} // namespace finstream
