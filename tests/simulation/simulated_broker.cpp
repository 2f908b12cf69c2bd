#include "tests/simulation/simulated_broker.hpp"

#include "messages/schema/schema.hpp"
#include "messages/value/bytes.hpp"

#include <utility>

namespace finstream::simulation {

// A client. What is not about streams, and not asked by a log, goes to the server as it is.
class troubled_broker : public broker {
public:
  explicit troubled_broker(simulated_broker& server)
    : server_{server}, inner_{server.open_well()}, life_{server.life_} {}

  expected<void> open_stream(const std::string& stream) override {
    return server_.answer(life_).and_then([&] { return inner_->open_stream(stream); });
  }
  expected<void> publish(const std::string& stream, std::optional<message_number> after,
                         std::span<const broker_message> messages) override {
    return server_.answer(life_).and_then([&] { return server_.publish(*inner_, stream, after, messages); });
  }
  expected<std::vector<broker_message>> read(const std::string& stream, std::optional<message_number> after,
                                             std::size_t limit, std::size_t limit_bytes) override {
    return server_.answer(life_).and_then([&] { return inner_->read(stream, after, limit, limit_bytes); });
  }
  expected<stream_ends> ends(const std::string& stream) override {
    return server_.answer(life_).and_then([&] { return inner_->ends(stream); });
  }
  expected<void> trim(const std::string& stream, message_number first_kept) override {
    return server_.answer(life_).and_then([&] { return inner_->trim(stream, first_kept); });
  }
  expected<void> remove_stream(const std::string& stream) override { return inner_->remove_stream(stream); }
  expected<void> ensure_group(const std::string& stream, const std::string& group) override {
    return inner_->ensure_group(stream, group);
  }
  expected<std::vector<taken_message>> take(const std::string& stream, const std::string& group,
                                            const std::string& consumer, std::size_t limit,
                                            nanoseconds patience) override {
    return inner_->take(stream, group, consumer, limit, patience);
  }
  expected<void> acknowledge(const std::string& stream, const std::string& group,
                             std::span<const message_number> numbers) override {
    return inner_->acknowledge(stream, group, numbers);
  }
  expected<void> keep(const std::string& stream, const std::string& group, const std::string& consumer,
                      std::span<const message_number> numbers) override {
    return inner_->keep(stream, group, consumer, numbers);
  }
  expected<claimed_messages> claim_stale(const std::string& stream, const std::string& group,
                                         const std::string& consumer, std::size_t limit) override {
    return inner_->claim_stale(stream, group, consumer, limit);
  }
  expected<std::uint32_t> forget_idle_consumers(const std::string& stream, const std::string& group,
                                                nanoseconds idle) override {
    return inner_->forget_idle_consumers(stream, group, idle);
  }
  expected<std::vector<group_state>> groups(const std::string& stream) override { return inner_->groups(stream); }
  expected<void> health() override {
    return server_.answer(life_).and_then([&] { return inner_->health(); });
  }
  broker_statistics statistics() const override { return inner_->statistics(); }
  broker_capabilities capabilities() const override { return inner_->capabilities(); }

private:
  simulated_broker& server_;
  std::unique_ptr<broker> inner_;
  std::uint64_t life_; // of the server, to which this is connected
};

simulated_broker::simulated_broker(std::uint64_t seed, std::size_t max_message_bytes, const clock& time)
  : chance_{seed}, time_{time}, server_{time}, truth_{server_.open()} {
  server_.set_max_message_bytes(max_message_bytes);
}

std::unique_ptr<broker> simulated_broker::open() { return std::make_unique<troubled_broker>(*this); }

expected<void> simulated_broker::answer(std::uint64_t& life) {
  if (std::exchange(life, life_) != life_) return fail(errc::unreachable, "the simulated broker was started again");
  if (troubles.away) return fail(errc::unreachable, "the simulated broker is away");
  if (chance_.per_mille(troubles.does_not_answer))
    return fail(errc::unreachable, "the simulated broker does not answer");
  if (chance_.per_mille(troubles.answers_late)) on_slow(chance_.between(1, 1500) * millisecond);
  return {};
}

expected<void> simulated_broker::publish(broker& to, const std::string& stream, std::optional<message_number> after,
                                         std::span<const broker_message> messages) {
  if (troubles.full) return fail(errc::overloaded, "the simulated broker has no room");
  auto breaks_off = chance_.per_mille(troubles.breaks_off);
  auto taken = breaks_off ? messages.first(chance_.below(messages.size())) : messages;
  if (taken.empty()) return fail(errc::unreachable, "the simulated broker breaks off before the first message");
  if (auto done = to.publish(stream, after, taken); !done) return done;
  keep(stream, after, taken);
  if (breaks_off) return fail(errc::unreachable, "the simulated broker breaks off in the middle");
  if (chance_.per_mille(troubles.answer_is_lost))
    return fail(errc::unreachable, "the simulated broker does not say that it has it");
  return {};
}

void simulated_broker::keep(const std::string& stream, std::optional<message_number> after,
                            std::span<const broker_message> taken) {
  acknowledged_.push_back({time_.monotonic(), stream, after});
  std::string bytes;
  byte_writer out{bytes};
  out.number(hash_), out.text(stream);
  for (auto& x : taken) out.number(x.number.transaction), out.number(x.number.part), out.text(x.body);
  hash_ = hash_text(bytes);
}

bool simulated_broker::forget(nanoseconds of_the_last) {
  auto since = time_.monotonic() - of_the_last;
  while (!acknowledged_.empty() && acknowledged_.front().at <= since) acknowledged_.pop_front();
  if (acknowledged_.empty()) return false;
  ++life_;
  for (auto left = 1 + chance_.below(acknowledged_.size()); left > 0; --left) {
    server_.lose_behind(acknowledged_.back().stream, acknowledged_.back().before);
    acknowledged_.pop_back();
  }
  return true;
}

} // namespace finstream::simulation
