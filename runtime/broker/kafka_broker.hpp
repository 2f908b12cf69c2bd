// INTERNAL to runtime/broker: Kafka. A stream is a topic with one partition. Kafka appends whatever it is sent: so each
// message says at which offset it is meant to be, and one that is elsewhere counts for nobody (kafka_messages.hpp;
// docs/decisions/0022-at-its-offset-or-not-at-all.md). Streams are in kafka_broker.cpp and kafka_read.cpp, groups in
// kafka_groups.cpp.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/broker/kafka_admin.hpp"
#include "runtime/broker/kafka_consumer.hpp"
#include "runtime/broker/kafka_messages.hpp"
#include "runtime/broker/kafka_reader.hpp"
#include "runtime/broker/throttled_health.hpp"

#include <map>

namespace finstream {

class kafka_broker : public broker {
public:
  kafka_broker(kafka_address address, broker_options options, std::unique_ptr<kafka_admin> admin);
  ~kafka_broker() override;

  expected<void> open_stream(const std::string& stream) override;
  expected<void> publish(const std::string& stream, std::optional<message_number> after,
                         std::span<const broker_message> messages) override;
  expected<std::vector<broker_message>> read(const std::string& stream, std::optional<message_number> after,
                                             std::size_t limit, std::size_t limit_bytes) override;
  expected<stream_ends> ends(const std::string& stream) override;
  expected<void> trim(const std::string& stream, message_number first_kept) override;
  expected<void> remove_stream(const std::string& stream) override;
  expected<void> ensure_group(const std::string& stream, const std::string& group) override;
  expected<std::vector<taken_message>> take(const std::string& stream, const std::string& group,
                                            const std::string& consumer, std::size_t limit,
                                            nanoseconds patience) override;
  expected<void> acknowledge(const std::string& stream, const std::string& group,
                             std::span<const message_number> numbers) override;
  expected<void> keep(const std::string& stream, const std::string& group, const std::string& consumer,
                      std::span<const message_number> numbers) override;
  expected<claimed_messages> claim_stale(const std::string& stream, const std::string& group,
                                         const std::string& consumer, std::size_t limit) override;
  expected<std::uint32_t> forget_idle_consumers(const std::string& stream, const std::string& group,
                                                nanoseconds idle) override;
  expected<std::vector<group_state>> groups(const std::string& stream) override;
  expected<void> health() override;
  broker_statistics statistics() const override;
  broker_capabilities capabilities() const override;

private:
  using placed_message = kafka_messages::placed_message;
  // The last message that counts, and the offset that the next one written will have.
  struct stream_end {
    std::optional<message_number> last;
    bool is_whole = true;
    std::uint64_t log_id = 0;
    std::int64_t next = 0;
  };
  // What is remembered of a stream while the connection lasts.
  struct stream_state {
    std::string topic;
    std::optional<stream_end> end; // as it was seen last,
    bool is_at_end = false;        // and nothing is known to be behind it
    kafka_reader reading;
    std::optional<message_number> read_behind; // where the last read has stopped,
    std::int64_t read_next = 0;                // and the offset to go on with
  };
  using consumers = std::map<std::string, kafka_consumer>; // by name

  // What every call on a stream goes through: its deadline, a connection, a topic that is there, and the count of
  // failures.
  template <class Work>
  auto counted(const std::string& stream, Work work, nanoseconds patience = 0)
    -> decltype(work(std::declval<stream_state&>())) {
    session_.begin(patience);
    auto to = prepare(stream);
    auto outcome = to ? work(**to) : decltype(work(**to)){tl::unexpected{to.error()}};
    finish(outcome ? errc::none : outcome.error().code);
    return outcome;
  }
  expected<void> connect();
  expected<stream_state*> prepare(const std::string& stream);
  void finish(errc outcome);
  expected<void> check_partitions(const std::string& stream, int partitions) const;

  // The end as the brokers have it now.
  expected<stream_end> find_end(stream_state& in);
  // Whether they are where they were meant to be.
  expected<bool> publish_some(stream_state& to, std::span<const broker_message> messages);
  tl::unexpected<failure> stopped(const stream_state& in) const;
  expected<std::vector<kafka_messages::delivery>> deliver(stream_state& to, std::span<const broker_message> messages,
                                                          const std::string& writer);
  // Whether these are where they were meant to be, although some were written elsewhere too.
  expected<bool> is_in_place(stream_state& to, std::size_t count, const std::string& writer);

  // Those that count, at these offsets, in order, for as long as `each` answers true.
  expected<void> scan(stream_state& in, std::int64_t from, std::int64_t until,
                      const std::function<bool(placed_message)>& each);
  // The first of them.
  expected<std::optional<placed_message>> first_at(stream_state& in, std::int64_t from, std::int64_t until);
  expected<std::vector<broker_message>> read_some(const std::string& stream, stream_state& from,
                                                  std::optional<message_number> after, std::size_t limit,
                                                  std::size_t limit_bytes);
  // Where to begin, so as to read behind a number; nothing: there is nothing behind it.
  expected<std::optional<std::int64_t>> start_behind(const std::string& stream, stream_state& in, message_number after);
  // The first offset whose message has this number or a later one; the next that is written, if none has.
  expected<std::int64_t> first_from(stream_state& in, message_number wanted, const stream_end& end);

  // The groups of a stream, and what they need first.
  expected<std::map<std::string, std::int64_t>> committed_offsets(const std::string& stream, const stream_state& in);
  expected<void> check_group(const std::string& stream, stream_state& in, const std::string& group);
  expected<group_state> state_of(const std::string& stream, stream_state& in, const std::string& group,
                                 std::int64_t committed, const stream_end& end);

  broker_options options_;
  std::unique_ptr<kafka_admin> admin_;
  kafka_session session_;
  throttled_health health_;
  std::string writer_; // what makes our messages ours
  std::uint64_t publishes_ = 0;
  std::map<std::string, stream_state> streams_;
  std::map<std::string, consumers> groups_; // by group id; each consumer has a connection of its own, and keeps it
  broker_statistics statistics_;
};

} // namespace finstream
