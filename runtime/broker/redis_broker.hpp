// INTERNAL to runtime/broker: Redis Streams. A message's number is the id of its entry, `transaction-part`, which Redis
// itself lets only grow. Messages are added in transactions that Redis drops if
// somebody touched the stream since its last id was looked at; what else must not be torn apart is a script.
// docs/brokers.md says what other programs see. Streams are in redis_broker.cpp, groups in redis_groups.cpp.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/broker/redis_scripts.hpp"
#include "runtime/broker/redis_session.hpp"
#include "runtime/broker/throttled_health.hpp"

namespace finstream {

class redis_broker : public broker {
public:
  redis_broker(redis_address address, broker_options options);

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
  struct script {
    const char* text;
    std::string hash; // by which the server knows it; empty until it was loaded
  };

  // What every call goes through: its deadline, and the count of failures.
  template <class Work> auto counted(Work work, nanoseconds patience = 0) -> decltype(work()) {
    session_.begin(patience);
    auto outcome = work();
    if (!outcome) ++statistics_.failures;
    return outcome;
  }
  // An error of XGROUP CREATE, unless it is that there is such a group.
  expected<void> unless_there(const redisReply& reply);
  expected<void> load(script& which);
  // A server that was started again has forgotten its scripts: then it is told once more.
  expected<redis_reply> run(script& which, const std::string& stream, const redis_command& arguments);
  // Of what one transaction of Redis may have, which is at least one message: all, or nothing.
  expected<void> publish_some(const std::string& stream, std::optional<message_number> after,
                              std::span<const broker_message> messages);
  // Whether it was done; otherwise somebody has touched the stream in between, and it is to be looked at again.
  expected<bool> add_all(const std::string& stream, std::span<const broker_message> messages);
  void count_published(std::span<const broker_message> messages);
  expected<stream_ends> find_ends(const std::string& stream);
  expected<std::vector<broker_message>> read_some(const std::string& stream, std::optional<message_number> after,
                                                  std::size_t limit, std::size_t limit_bytes);
  expected<std::vector<taken_message>> take_some(const std::string& stream, const std::string& group,
                                                 const std::string& consumer, std::size_t limit, nanoseconds patience);
  expected<std::vector<taken_message>> read_group(const std::string& stream, const std::string& group,
                                                  const std::string& consumer, std::size_t limit, nanoseconds patience);
  expected<claimed_messages> claim_some(const std::string& stream, const std::string& group,
                                        const std::string& consumer, std::size_t limit);
  expected<void> count_deliveries(const std::string& stream, const std::string& group,
                                  std::vector<taken_message>& messages);
  expected<std::vector<group_state>> find_groups(const std::string& stream);
  // Of XINFO GROUPS, the oldest that is pending, and the first that is not handed out.
  static expected<group_state> state_of(const redisReply& fields, const redisReply& oldest, const redisReply& next,
                                        const stream_ends& ends);

  broker_options options_;
  redis_session session_;
  throttled_health health_;
  script last_id_{redis_scripts::last_id, {}}, keep_{redis_scripts::keep, {}}, forget_{redis_scripts::forget, {}};
  broker_statistics statistics_;
};

} // namespace finstream
