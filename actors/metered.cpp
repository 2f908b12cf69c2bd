#include "actors/metered.hpp"

#include "messages/protocols.hpp"

#include <caf/sec.hpp>
#include <caf/send.hpp>

namespace finstream {

void actor_gauge::on_enqueue(std::int64_t now_ns) {
  auto place = enqueued.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint64_t none = 0;
  if (sampled_place.load(std::memory_order_relaxed) == 0 &&
      sampled_place.compare_exchange_strong(none, place, std::memory_order_relaxed))
    sampled_at_ns.store(now_ns, std::memory_order_relaxed);
}

void actor_gauge::on_start(std::int64_t now_ns) {
  busy_since_ns.store(now_ns, std::memory_order_relaxed);
  auto place = sampled_place.load(std::memory_order_relaxed);
  if (place == 0 || handled.load(std::memory_order_relaxed) + 1 < place) return;
  if (auto since = sampled_at_ns.exchange(0, std::memory_order_relaxed); since != 0) {
    wait_ns.store(now_ns - since, std::memory_order_relaxed);
    if (now_ns - since > longest_wait_ns.load(std::memory_order_relaxed))
      longest_wait_ns.store(now_ns - since, std::memory_order_relaxed);
  }
  sampled_place.store(0, std::memory_order_relaxed);
}

void actor_gauge::on_finish(std::int64_t now_ns) {
  auto took = now_ns - busy_since_ns.load(std::memory_order_relaxed);
  busy_since_ns.store(0, std::memory_order_relaxed);
  handled.fetch_add(1, std::memory_order_relaxed);
  processing_ns.fetch_add(static_cast<std::uint64_t>(took), std::memory_order_relaxed);
  if (took > longest_ns.load(std::memory_order_relaxed)) longest_ns.store(took, std::memory_order_relaxed);
}

// In these three a handle is let go outside the lock: with the last one an actor's state may end, and that looks up
// here.
void directory::enter(const std::string& path, caf::strong_actor_ptr who, std::shared_ptr<actor_gauge> gauge) {
  gauge->path = path;
  entry old{std::move(who), std::move(gauge)};
  std::lock_guard lock{mutex_};
  std::swap(entries_[path], old);
}

void directory::leave(const std::string& path, const caf::actor_addr& who) {
  decltype(entries_)::node_type gone;
  std::lock_guard lock{mutex_};
  if (auto at = entries_.find(path); at != entries_.end() && at->second.who && at->second.who->address() == who)
    gone = entries_.extract(at);
}

caf::strong_actor_ptr directory::find(const std::string& path) const {
  std::lock_guard lock{mutex_};
  auto at = entries_.find(path);
  return at == entries_.end() ? nullptr : at->second.who;
}

std::vector<std::shared_ptr<actor_gauge>> directory::gauges() const {
  std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<actor_gauge>> out;
  for (auto& [path, there] : entries_) out.push_back(there.gauge);
  return out;
}

bool directory::ask_crash(const std::string& path) {
  std::lock_guard lock{mutex_};
  auto at = entries_.find(path);
  if (at == entries_.end()) return false;
  at->second.gauge->crash_asked = true;
  caf::anon_send(caf::actor_cast<caf::actor>(at->second.who), verb::status_v); // something to stumble over
  return true;
}

void directory::clear() {
  decltype(entries_) gone;
  std::lock_guard lock{mutex_};
  gone.swap(entries_);
}

caf::error describe_exception(std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    return caf::make_error(caf::sec::runtime_error, std::string{e.what()});
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error, std::string{"an exception that is not a std::exception"});
  }
}

} // namespace finstream
