// INTERNAL to runtime/broker: NATS JetStream. A message's number is in its headers; where in the stream it is, its
// sequence, NATS gives it. Every message says which sequence and which message it expects to come behind, and NATS
// refuses it otherwise: so what is sent ahead of its acknowledgments leaves no hole, whoever else writes. Streams are
// in nats_broker.cpp, groups in nats_groups.cpp.
#pragma once

#include "runtime/broker/broker.hpp"
#include "runtime/broker/nats_session.hpp"
#include "runtime/broker/throttled_health.hpp"

#include <map>

namespace finstream {

class nats_broker : public broker {
public:
  nats_broker(nats_session session, broker_options options);

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
  expected<std::vector<given_up_message>>
  given_up(const std::string& kept_in, const std::vector<std::string>& of_streams, std::size_t limit) override;
  expected<void> forget_given_up(const std::string& kept_in, const std::vector<std::string>& ids) override;
  expected<void> health() override;
  broker_statistics statistics() const override;
  broker_capabilities capabilities() const override;

private:
  // A number, and where in the stream it is.
  struct place {
    std::optional<message_number> number;
    std::uint64_t sequence = 0;
  };
  // Where a reader stands, so that the next read need not look for it.
  struct reader {
    nats_subscription from;
    std::optional<message_number> behind;
    std::uint64_t available = 0; // messages behind it, as last known
  };
  // Where to acknowledge what was taken.
  struct handed_out {
    std::string reply, consumer;
    nanoseconds heard = 0; // of it; by our clock
  };
  struct group {
    nats_subscription from;
    std::map<message_number, handed_out> taken;
  };
  // What is remembered of a stream while the connection lasts.
  struct stream_state {
    std::optional<place> last;
    reader reading;
    std::map<std::string, group> groups;
    // Of one that keeps advisories: who hands them out, and where to acknowledge each.
    nats_subscription advisories;
    std::map<std::string, std::string> advisory_replies;
  };

  // What every call goes through: its deadline, a connection, and the count of failures.
  template <class Work>
  auto counted(const std::string& stream, Work work, nanoseconds patience = 0) -> decltype(work()) {
    session_.begin(patience);
    auto outcome = attempt(stream, work);
    if (!outcome) ++statistics_.failures;
    return outcome;
  }
  template <class Work> auto attempt(const std::string& stream, Work& work) -> decltype(work()) {
    if (auto ready = prepare(stream); !ready) return tl::unexpected{ready.error()};
    return work();
  }
  expected<void> prepare(const std::string& stream);

  expected<nats_stream_info> info_of(const std::string& stream);
  expected<void> check_stream(const std::string& stream, const jsStreamConfig& config) const;
  // The message at a sequence; nothing if there is none.
  expected<nats_message> message_at(const std::string& stream, std::uint64_t sequence);
  // The last of a stream, as the server has it now.
  expected<place> find_last(const std::string& stream, const jsStreamInfo& info);
  // The first sequence whose message has this number or a later one; one behind the last, if none has.
  expected<std::uint64_t> first_from(const std::string& stream, message_number wanted, const jsStreamInfo& info);

  expected<void> publish_all(const std::string& stream, std::uint64_t last_sequence,
                             std::span<const broker_message> messages);
  expected<void> expect_answers();
  expected<void> await_acknowledgment(const std::string& answer_to, const std::string& stream, std::uint64_t sequence);

  expected<std::vector<broker_message>> read_some(const std::string& stream, std::optional<message_number> after,
                                                  std::size_t limit, std::size_t limit_bytes);
  expected<bool> start_reading(const std::string& stream, std::optional<message_number> after);
  expected<std::vector<broker_message>> read_on(reader& reading, std::size_t limit);
  // At most so many: at once, if the server says that it has no more; otherwise what has come in time.
  expected<std::vector<nats_message>> fetch(natsSubscription& from, std::size_t limit, nanoseconds patience);

  expected<group*> open_group(const std::string& stream, const std::string& name);
  expected<std::vector<taken_message>> take_some(const std::string& stream, const std::string& name,
                                                 const std::string& consumer, std::size_t limit, nanoseconds patience);
  expected<void> say(const std::vector<std::string>& replies, const char* what);
  expected<nats_consumers> consumers_of(const std::string& stream);
  expected<void> keep_advisories(const std::string& kept_in, const std::vector<std::string>& of_streams);
  expected<natsSubscription*> open_advisories(const std::string& kept_in, const std::vector<std::string>& of_streams);
  expected<group_state> state_of(const std::string& stream, const jsConsumerInfo& consumer, const jsStreamInfo& info);

  broker_options options_;
  nats_session session_;
  throttled_health health_;
  std::string writer_; // what makes the ids of our messages ours
  std::map<std::string, stream_state> streams_;
  nats_subscription answers_;          // to what is published
  std::string answers_to_;             // with a number behind it, which no other message has
  std::uint64_t answers_expected_ = 0; // numbers that were given
  std::uint64_t connection_ = 0;       // that they are of
  broker_statistics statistics_;
};

} // namespace finstream
