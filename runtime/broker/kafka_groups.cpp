// Consumer groups of Kafka, as kafka_consumer.hpp has them. A group is there when it has an offset.
#include "runtime/broker/kafka_broker.hpp"
#include "runtime/broker/rules.hpp"
#include "runtime/clock/clock.hpp"

#include <algorithm>

namespace finstream {

using namespace kafka_messages;

expected<void> kafka_broker::ensure_group(const std::string& stream, const std::string& group) {
  return counted(stream, [&](stream_state& in) -> expected<void> {
    if (auto sound = broker_rules::check_name("group", group); !sound) return sound;
    auto id = group_id_of(stream, group);
    auto there = committed_offset(session_, in.topic, id);
    if (!there) return tl::unexpected{there.error()};
    if (*there) return {};
    auto first = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
    return first ? commit_offset(session_, in.topic, id, *first) : tl::unexpected{first.error()};
  });
}

expected<void> kafka_broker::check_group(const std::string& stream, stream_state& in, const std::string& group) {
  if (auto sound = broker_rules::check_name("group", group); !sound) return sound;
  auto id = group_id_of(stream, group);
  if (groups_.contains(id)) return {};
  auto there = committed_offset(session_, in.topic, id);
  if (!there) return tl::unexpected{there.error()};
  if (!*there) return fail(errc::not_found, "there is no group " + id + " in " + session_.server());
  groups_[id];
  return {};
}

expected<std::vector<taken_message>> kafka_broker::take(const std::string& stream, const std::string& group,
                                                        const std::string& consumer, std::size_t limit,
                                                        nanoseconds patience) {
  using taken = std::vector<taken_message>;
  patience = std::max<nanoseconds>(patience, 0);
  return counted(
    stream,
    [&](stream_state& from) -> expected<taken> {
      if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
      if (auto there = check_group(stream, from, group); !there) return tl::unexpected{there.error()};
      auto end = session_.offset(from.topic, RD_KAFKA_OFFSET_END);
      if (!end) return tl::unexpected{end.error()};
      auto id = group_id_of(stream, group);
      auto [it, is_new] = groups_[id].try_emplace(consumer, session_, from.topic, id, consumer, options_);
      if (auto joined = is_new ? it->second.join() : expected<void>{}; !joined) {
        groups_[id].erase(it);
        return tl::unexpected{joined.error()};
      }
      auto out = it->second.take(*end, limit, patience);
      if (out) statistics_.read += out->size();
      if (!out && it->second.may_be_replaced()) groups_[id].erase(it);
      return out;
    },
    patience);
}

expected<void> kafka_broker::acknowledge(const std::string& stream, const std::string& group,
                                         std::span<const message_number> numbers) {
  return counted(stream, [&](stream_state&) -> expected<void> {
    for (auto& [name, consumer] : groups_[group_id_of(stream, group)])
      if (consumer.has_stream())
        if (auto done = consumer.acknowledge(numbers); !done) return done;
    return {};
  });
}

expected<void> kafka_broker::keep(const std::string& stream, const std::string& group, const std::string& consumer,
                                  std::span<const message_number>) {
  return counted(stream, [&](stream_state&) -> expected<void> {
    auto& in_group = groups_[group_id_of(stream, group)];
    if (auto it = in_group.find(consumer); it != in_group.end()) it->second.keep();
    return {};
  });
}

expected<claimed_messages> kafka_broker::claim_stale(const std::string& stream, const std::string& group,
                                                     const std::string& consumer, std::size_t) {
  return counted(stream, [&](stream_state& in) -> expected<claimed_messages> {
    if (auto sound = broker_rules::check_name("consumer", consumer); !sound) return tl::unexpected{sound.error()};
    auto there = check_group(stream, in, group);
    return there ? expected<claimed_messages>{} : tl::unexpected{there.error()};
  });
}

expected<std::uint32_t> kafka_broker::forget_idle_consumers(const std::string& stream, const std::string& group,
                                                            nanoseconds) {
  return counted(stream, [&](stream_state& in) -> expected<std::uint32_t> {
    auto there = check_group(stream, in, group);
    return there ? expected<std::uint32_t>{0} : tl::unexpected{there.error()};
  });
}

expected<std::map<std::string, std::int64_t>> kafka_broker::committed_offsets(const std::string& stream,
                                                                              const stream_state& in) {
  auto ids = admin_->group_ids(session_);
  if (!ids) return tl::unexpected{ids.error()};
  std::map<std::string, std::int64_t> out;
  for (const auto& id : *ids) {
    auto group = group_of(stream, id);
    if (group.empty()) continue;
    auto committed = committed_offset(session_, in.topic, id);
    if (!committed) return tl::unexpected{committed.error()};
    if (*committed) out[group] = **committed;
  }
  return out;
}

expected<std::vector<group_state>> kafka_broker::groups(const std::string& stream) {
  return counted(stream, [&](stream_state& in) -> expected<std::vector<group_state>> {
    auto committed = committed_offsets(stream, in);
    if (!committed) return tl::unexpected{committed.error()};
    auto end = find_end(in);
    if (!end) return tl::unexpected{end.error()};
    std::vector<group_state> out;
    for (const auto& [group, offset] : *committed) {
      auto x = state_of(stream, in, group, offset, *end);
      if (!x) return tl::unexpected{x.error()};
      out.push_back(std::move(*x));
    }
    return out;
  });
}

expected<group_state> kafka_broker::state_of(const std::string& stream, stream_state& in, const std::string& group,
                                             std::int64_t committed, const stream_end& end) {
  group_state out;
  out.group = group;
  auto next = committed;
  for (const auto& [name, consumer] : groups_[group_id_of(stream, group)])
    if (consumer.has_stream()) {
      out.pending = consumer.pending();
      out.oldest_idle = consumer.oldest_idle();
      next = consumer.next();
    }
  out.waiting = static_cast<std::uint64_t>(std::max<std::int64_t>(end.next - next, 0));
  auto low = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
  if (!low) return tl::unexpected{low.error()};
  auto first = first_at(in, std::max(committed, *low), end.next);
  if (!first) return tl::unexpected{first.error()};
  if (*first) out.first_needed = (*first)->what.number;
  return out;
}

expected<void> kafka_broker::trim(const std::string& stream, message_number first_kept) {
  return counted(stream, [&](stream_state& in) -> expected<void> {
    auto end = find_end(in);
    if (!end) return tl::unexpected{end.error()};
    if (!end->last) return {};
    auto committed = committed_offsets(stream, in);
    if (!committed) return tl::unexpected{committed.error()};
    auto kept = first_from(in, std::min(first_kept, *end->last), *end); // the last stays
    if (!kept) return tl::unexpected{kept.error()};
    for (const auto& [group, offset] : *committed) kept = std::min(*kept, offset);
    auto first = session_.offset(in.topic, RD_KAFKA_OFFSET_BEGINNING);
    if (!first) return tl::unexpected{first.error()};
    return *kept > *first ? admin_->drop_before(session_, in.topic, *kept) : expected<void>{};
  });
}

} // namespace finstream
