#include "runtime/broker/memory_broker.hpp"

#include "runtime/broker/rules.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <type_traits>

namespace finstream {

namespace {

struct pending_message {
  std::string consumer;
  nanoseconds heard = 0; // of it, by the monotonic clock
  std::uint32_t deliveries = 1;
};

struct memory_group {
  std::optional<message_number> handed_out; // the last that was
  std::map<message_number, pending_message> pending;
  std::map<std::string, nanoseconds> consumers; // when they were heard of
};

struct memory_stream {
  std::map<message_number, broker_message> messages;
  std::optional<message_number> last; // known although it may no longer be kept
  std::map<std::string, memory_group> groups;

  // The first behind a number; of all, if there is none.
  auto behind(std::optional<message_number> after) const {
    return after ? messages.upper_bound(*after) : messages.begin();
  }
};

std::optional<message_number> first_needed(const memory_stream& in, const memory_group& group) {
  std::optional<message_number> out;
  if (auto next = in.behind(group.handed_out); next != in.messages.end()) out = next->first;
  if (!group.pending.empty()) out = out ? std::min(*out, group.pending.begin()->first) : group.pending.begin()->first;
  return out;
}

} // namespace

struct memory_broker_server::state {
  explicit state(const clock& clock) : time{clock} {}

  const clock& time;
  std::mutex mutex; // over everything below
  std::condition_variable changed;
  std::uint64_t changes = 0; // that may give a waiting consumer something to take
  std::map<std::string, memory_stream> streams;
  std::vector<given_up_message> given_up;
  bool reachable = true, full = false;
  std::set<std::string> guarded;
  std::optional<std::size_t> break_after;
  std::size_t max_message_bytes = 8u << 20;

  // Those who wait look again.
  template <class T> void set(T& member, std::type_identity_t<T> value) {
    std::lock_guard guard{mutex};
    member = value;
    ++changes;
    changed.notify_all();
  }
};

namespace {

using server_state = memory_broker_server::state;

class memory_broker : public broker {
public:
  memory_broker(std::shared_ptr<server_state> server, broker_options options)
    : server_{std::move(server)}, options_{std::move(options)} {}

  expected<void> open_stream(const std::string& stream) override {
    return served([&]() -> expected<void> {
      if (auto sound = broker_rules::check_name("stream", stream); !sound) return sound;
      server_->streams.try_emplace(stream);
      return {};
    });
  }

  expected<void> publish(const std::string& stream, std::optional<message_number> after,
                         std::span<const broker_message> messages) override {
    return in_stream<void>(stream, [&](memory_stream& to) -> expected<void> {
      if (auto sound = broker_rules::check_messages(after, messages, server_->max_message_bytes); !sound) return sound;
      if (server_->full)
        return fail(errc::overloaded, "the broker has no room for stream " + stream + ": make some, or wait");
      if (to.last != after) return broker_rules::conflict_in(stream, after, to.last);
      return append(to, messages);
    });
  }

  expected<std::vector<broker_message>> read(const std::string& stream, std::optional<message_number> after,
                                             std::size_t limit, std::size_t limit_bytes) override {
    using found = std::vector<broker_message>;
    return in_stream<found>(stream, [&](memory_stream& from) -> expected<found> {
      found out;
      std::size_t bytes = 0;
      for (auto i = from.behind(after); i != from.messages.end() && out.size() < limit; ++i) {
        if (!out.empty() && bytes >= limit_bytes) break;
        bytes += i->second.body.size();
        out.push_back(i->second);
      }
      if (out.empty() && limit > 0 && after && from.last && *after < *from.last)
        return broker_rules::all_trimmed(stream, *after);
      if (auto whole = broker_rules::cut_at_hole(stream, after, out); !whole) return tl::unexpected{whole.error()};
      statistics_.read += out.size();
      return out;
    });
  }

  expected<stream_ends> ends(const std::string& stream) override {
    return in_stream<stream_ends>(stream, [&](memory_stream& in) -> expected<stream_ends> {
      stream_ends out;
      out.last = in.last;
      out.messages = in.messages.size();
      if (in.messages.empty()) return out;
      out.first = in.messages.begin()->first;
      out.last_is_whole = in.messages.rbegin()->second.is_last_part;
      out.log_id = in.messages.rbegin()->second.log_id;
      return out;
    });
  }

  expected<void> trim(const std::string& stream, message_number first_kept) override {
    return in_stream<void>(stream, [&](memory_stream& in) -> expected<void> {
      if (in.last) first_kept = std::min(first_kept, *in.last);
      for (const auto& [name, group] : in.groups)
        if (auto needed = first_needed(in, group)) first_kept = std::min(first_kept, *needed);
      in.messages.erase(in.messages.begin(), in.messages.lower_bound(first_kept));
      return {};
    });
  }

  expected<void> remove_stream(const std::string& stream) override {
    return served([&]() -> expected<void> {
      server_->streams.erase(stream);
      return {};
    });
  }

  expected<void> ensure_group(const std::string& stream, const std::string& group) override {
    if (auto sound = broker_rules::check_name("group", group); !sound) return sound;
    return in_stream<void>(stream, [&](memory_stream& in) -> expected<void> {
      in.groups.try_emplace(group);
      return {};
    });
  }

  expected<std::vector<taken_message>> take(const std::string& stream, const std::string& group,
                                            const std::string& consumer, std::size_t limit,
                                            nanoseconds patience) override {
    using taken = std::vector<taken_message>;
    auto until = system_clock().monotonic() + patience;
    for (;;) {
      std::uint64_t seen = 0;
      auto out =
        in_group<taken>(stream, group, &consumer, [&](memory_stream& from, memory_group& by) -> expected<taken> {
          seen = server_->changes;
          return hand_out(from, by, consumer, limit);
        });
      auto left = std::chrono::nanoseconds{until - system_clock().monotonic()};
      if (!out || !out->empty() || limit == 0 || left.count() <= 0) return out;
      std::unique_lock guard{server_->mutex};
      server_->changed.wait_for(guard, left, [&] { return server_->changes != seen; });
    }
  }

  expected<void> acknowledge(const std::string& stream, const std::string& group,
                             std::span<const message_number> numbers) override {
    return in_group<void>(stream, group, nullptr, [&](memory_stream&, memory_group& by) -> expected<void> {
      for (auto x : numbers) by.pending.erase(x);
      tell_waiting(); // there may be room for more
      return {};
    });
  }

  expected<void> keep(const std::string& stream, const std::string& group, const std::string& consumer,
                      std::span<const message_number> numbers) override {
    return in_group<void>(stream, group, &consumer, [&](memory_stream&, memory_group& by) -> expected<void> {
      for (auto x : numbers)
        if (auto i = by.pending.find(x); i != by.pending.end() && i->second.consumer == consumer)
          i->second.heard = server_->time.monotonic();
      return {};
    });
  }

  expected<claimed_messages> claim_stale(const std::string& stream, const std::string& group,
                                         const std::string& consumer, std::size_t limit) override {
    return in_group<claimed_messages>(
      stream, group, &consumer, [&](memory_stream& from, memory_group& by) -> expected<claimed_messages> {
        claimed_messages out;
        auto now = server_->time.monotonic();
        for (auto i = by.pending.begin(); i != by.pending.end() && out.messages.size() < limit;) {
          auto& [number, pending] = *i;
          auto kept = from.messages.find(number);
          if (now - pending.heard < options_.stale_after_ms * millisecond) {
            ++i;
          } else if (kept == from.messages.end()) {
            ++out.lost;
            i = by.pending.erase(i);
          } else {
            pending = {consumer, now, pending.deliveries + 1};
            out.messages.push_back({kept->second, pending.deliveries});
            ++i;
          }
        }
        statistics_.read += out.messages.size();
        return out;
      });
  }

  expected<std::uint32_t> forget_idle_consumers(const std::string& stream, const std::string& group,
                                                nanoseconds idle) override {
    return in_group<std::uint32_t>(
      stream, group, nullptr, [&](memory_stream&, memory_group& by) -> expected<std::uint32_t> {
        auto is_forgotten = [&](const auto& consumer) {
          return server_->time.monotonic() - consumer.second >= idle &&
                 std::ranges::none_of(by.pending, [&](auto& x) { return x.second.consumer == consumer.first; });
        };
        return static_cast<std::uint32_t>(std::erase_if(by.consumers, is_forgotten));
      });
  }

  expected<std::vector<group_state>> groups(const std::string& stream) override {
    using states = std::vector<group_state>;
    return in_stream<states>(stream, [&](memory_stream& in) -> expected<states> {
      states out;
      for (const auto& [name, group] : in.groups) {
        auto& x = out.emplace_back();
        x.group = name;
        x.pending = group.pending.size();
        x.waiting = static_cast<std::uint64_t>(std::distance(in.behind(group.handed_out), in.messages.cend()));
        x.first_needed = first_needed(in, group);
        if (!group.pending.empty()) x.oldest_idle = server_->time.monotonic() - group.pending.begin()->second.heard;
        x.consumers = static_cast<std::uint32_t>(group.consumers.size());
      }
      return out;
    });
  }

  expected<std::vector<given_up_message>> given_up(const std::string&, const std::vector<std::string>& of_streams,
                                                   std::size_t limit) override {
    using found = std::vector<given_up_message>;
    return served([&]() -> expected<found> {
      found out;
      for (auto& x : server_->given_up)
        if (out.size() < limit && std::ranges::find(of_streams, x.stream) != of_streams.end()) out.push_back(x);
      return out;
    });
  }
  expected<void> forget_given_up(const std::string&, const std::vector<std::string>& ids) override {
    return served([&]() -> expected<void> {
      std::erase_if(server_->given_up, [&](auto& x) { return std::ranges::find(ids, x.id) != ids.end(); });
      return {};
    });
  }

  expected<void> health() override {
    return served([]() -> expected<void> { return {}; });
  }
  broker_statistics statistics() const override { return statistics_; }
  broker_capabilities capabilities() const override {
    std::lock_guard guard{server_->mutex};
    return {"memory", server_->max_message_bytes, false, true, true};
  }

private:
  // What every call goes through: whether there is a server, and the count of failures.
  template <class Work> auto served(Work work) -> decltype(work()) {
    std::lock_guard guard{server_->mutex};
    auto outcome = server_->reachable ? connected(work) : decltype(work()){unreachable()};
    if (!outcome) ++statistics_.failures;
    return outcome;
  }
  template <class Work> auto connected(Work& work) -> decltype(work()) {
    if (!is_connected_) ++statistics_.connects;
    is_connected_ = true;
    return work();
  }

  template <class T, class Work> expected<T> in_stream(const std::string& stream, Work work) {
    return served([&]() -> expected<T> {
      if (server_->guarded.contains(stream))
        return fail(errc::config_invalid, "stream " + stream + " in memory is not for all, as a test has asked for");
      auto found = server_->streams.find(stream);
      if (found == server_->streams.end()) return fail(errc::not_found, "there is no stream " + stream);
      return work(found->second);
    });
  }

  // The consumer, if there is one, is heard of by this.
  template <class T, class Work>
  expected<T> in_group(const std::string& stream, const std::string& group, const std::string* consumer, Work work) {
    if (auto sound = broker_rules::check_name("consumer", consumer ? *consumer : "nobody"); !sound)
      return tl::unexpected{sound.error()};
    return in_stream<T>(stream, [&](memory_stream& in) -> expected<T> {
      auto found = in.groups.find(group);
      if (found == in.groups.end()) return fail(errc::not_found, "there is no group " + group + " of stream " + stream);
      if (consumer) found->second.consumers[*consumer] = server_->time.monotonic();
      return work(in, found->second);
    });
  }

  tl::unexpected<failure> unreachable() {
    is_connected_ = false;
    return fail(errc::unreachable, "the broker in memory cannot be reached, as a test has asked for");
  }

  void tell_waiting() {
    ++server_->changes;
    server_->changed.notify_all();
  }

  expected<void> append(memory_stream& to, std::span<const broker_message> messages) {
    bool breaks = server_->break_after && *server_->break_after <= messages.size();
    auto taken = messages.first(breaks ? *server_->break_after : messages.size());
    for (const auto& x : taken) {
      to.messages.emplace(x.number, x);
      to.last = x.number;
      ++statistics_.published;
      statistics_.published_bytes += x.body.size();
    }
    tell_waiting();
    if (server_->break_after) *server_->break_after -= taken.size();
    if (!breaks) return {};
    server_->break_after.reset();
    return unreachable();
  }

  std::vector<taken_message> hand_out(const memory_stream& from, memory_group& by, const std::string& consumer,
                                      std::size_t limit) {
    std::vector<taken_message> out;
    auto most = static_cast<std::size_t>(options_.max_pending_messages);
    for (auto i = from.behind(by.handed_out);
         i != from.messages.end() && out.size() < limit && by.pending.size() < most; ++i) {
      out.push_back({i->second, 1});
      by.pending[i->first] = {consumer, server_->time.monotonic(), 1};
      by.handed_out = i->first;
    }
    statistics_.read += out.size();
    return out;
  }

  std::shared_ptr<server_state> server_;
  broker_options options_;
  bool is_connected_ = false;
  broker_statistics statistics_;
};

} // namespace

memory_broker_server::memory_broker_server(const clock& time) : state_{std::make_shared<state>(time)} {}

std::unique_ptr<broker> memory_broker_server::open(broker_options options) const {
  return std::make_unique<memory_broker>(state_, std::move(options));
}

void memory_broker_server::set_reachable(bool reachable) { state_->set(state_->reachable, reachable); }
void memory_broker_server::set_guarded(std::set<std::string> streams) { state_->set(state_->guarded, streams); }
void memory_broker_server::break_after(std::size_t messages) { state_->set(state_->break_after, {messages}); }
void memory_broker_server::set_full(bool full) { state_->set(state_->full, full); }
void memory_broker_server::set_max_message_bytes(std::size_t bytes) { state_->set(state_->max_message_bytes, bytes); }

void memory_broker_server::lose_before(const std::string& stream, message_number first_kept) {
  std::lock_guard guard{state_->mutex};
  auto& from = state_->streams[stream].messages;
  from.erase(from.begin(), from.lower_bound(first_kept));
}

void memory_broker_server::lose_behind(const std::string& stream, std::optional<message_number> last_kept) {
  std::lock_guard guard{state_->mutex};
  auto& in = state_->streams[stream];
  in.messages.erase(last_kept ? in.messages.upper_bound(*last_kept) : in.messages.begin(), in.messages.end());
  in.last = last_kept;
  for (auto& [name, group] : in.groups) {
    group.handed_out = std::min(group.handed_out, last_kept);
    std::erase_if(group.pending, [&](const auto& x) { return !last_kept || x.first > *last_kept; });
  }
}

void memory_broker_server::give_up(given_up_message what) {
  std::lock_guard guard{state_->mutex};
  state_->given_up.push_back(std::move(what));
}

} // namespace finstream
