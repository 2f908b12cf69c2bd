#include "tests/support/world.hpp"

#include "actors/appender.hpp"
#include "actors/passing_stage.hpp"
#include "actors/window.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

namespace finstream::test {

namespace {
constexpr auto patience = 60 * second; // for what must happen: only a fault reaches it
constexpr nanoseconds step_of_time = 10 * millisecond;
} // namespace

// ---- the log

troubled_bus::troubled_bus() : inner_{open_memory_bus()} {}

void troubled_bus::refuse(errc why, int after_writes) {
  std::lock_guard guard{mutex_};
  why_ = why, let_through_ = after_writes;
}
void troubled_bus::refuse_reading(errc why) {
  std::lock_guard guard{mutex_};
  why_not_read_ = why;
}
std::vector<transaction> troubled_bus::taken() const {
  std::lock_guard guard{mutex_};
  return taken_;
}
int troubled_bus::refused() const {
  std::lock_guard guard{mutex_};
  return refused_;
}
int troubled_bus::reads() const {
  std::lock_guard guard{mutex_};
  return reads_;
}
expected<receipt> troubled_bus::write(transaction tx) {
  std::lock_guard guard{mutex_};
  if (why_ != errc::none && let_through_-- <= 0) {
    ++refused_;
    return fail(why_, "the test says so");
  }
  auto copy = tx;
  auto done = inner_->write(std::move(tx));
  if (done) taken_.push_back(std::move(copy));
  return done;
}
expected<std::vector<record>> troubled_bus::read(topic of, std::uint16_t partition, std::uint64_t offset,
                                                 std::size_t limit_bytes) const {
  std::lock_guard guard{mutex_};
  if (of == topic::events) ++reads_;
  return inner_->read(of, partition, offset, limit_bytes);
}
expected<std::uint64_t> troubled_bus::offset_at(topic of, std::uint16_t partition, timestamp when) const {
  return inner_->offset_at(of, partition, when);
}
expected<log_range> troubled_bus::range(topic of, std::uint16_t partition) const {
  return inner_->range(of, partition);
}
expected<std::optional<std::string>> troubled_bus::get(std::string_view table, std::string_view key) const {
  {
    std::lock_guard guard{mutex_};
    if (why_not_read_ != errc::none) return fail(why_not_read_, "the test says so");
  }
  return inner_->get(table, key);
}
expected<void> troubled_bus::scan(std::string_view table, std::string_view first, std::string_view last,
                                  const std::function<bool(std::string_view, std::string_view)>& visit) const {
  return inner_->scan(table, first, last, visit);
}
expected<std::optional<std::uint64_t>> troubled_bus::committed(std::string_view group, topic of,
                                                               std::uint16_t partition) const {
  return inner_->committed(group, of, partition);
}
expected<std::uint64_t> troubled_bus::trim(topic of, std::uint16_t partition, std::uint64_t offset) {
  return inner_->trim(of, partition, offset);
}
expected<void> troubled_bus::health() const {
  std::lock_guard guard{mutex_};
  if (why_ != errc::none) return fail(why_, "the test says so");
  return {};
}

// ---- the world

world::world(pace how) : how_{how}, system_config_{std::make_unique<caf::actor_system_config>()} {
  std::signal(SIGPIPE, SIG_IGN); // as a node does
  context.config = &config;
  context.log = &log;
  context.time = how == pace::stepped ? static_cast<const clock*>(&time) : &system_clock();
  context.registry = &registry;
  context.metrics = &metrics;
  context.where = &where;
  context.figures = &figures;
  context.seed = 1;
  context.rules = &rules;
  rules.set({rules_of_one_second().save(), {}, {}});
  context.version = "0.0.0-test";
  context.config_hash = 1;
  system_config_->set("logger.file-verbosity", caf::atom("quiet"));
  if (how == pace::stepped)
    system_config_->set("scheduler.policy", caf::atom("testing"));
  else
    system_config_->set("scheduler.max-threads", std::size_t{2});
  system_ = std::make_unique<caf::actor_system>(*system_config_);
}

// Parents come before their children in the directory, so nobody who is killed here is started again.
void world::end_all() {
  if (!system_) return;
  for (auto& gauge : where.gauges()) kill(gauge->path);
  where.clear();
  links->set_socket(nullptr);
  settle();
  system_.reset(); // waits for every actor, those included that a supervisor started while it was being ended itself
}

world::~world() { end_all(); }

caf::actor_system& world::system() { return *system_; }

void world::settle() {
  if (how_ != pace::stepped) return;
  auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  while (scheduler.try_run_once()) {
  }
}

void world::pass(nanoseconds span) {
  ensure(how_ == pace::stepped, "time passes by itself in a world with threads");
  auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system_->scheduler());
  settle();
  for (; span > 0; span -= step_of_time) {
    auto step = std::min(span, step_of_time);
    time.advance(step);
    scheduler.advance_time(caf::timespan{step});
    settle();
  }
}

bool world::until(const std::function<bool()>& holds) {
  settle();
  auto give_up_at = system_clock().monotonic() + patience;
  while (!holds()) {
    if (how_ == pace::stepped || system_clock().monotonic() > give_up_at) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1}); // between two looks
  }
  return true;
}

template <class Handle> Handle world::watched(const std::string& path, Handle who) {
  {
    std::lock_guard guard{ends_mutex_};
    ends_.erase(path);
  }
  who->attach_functor([this, path, in = system_.get()](const caf::error& reason) {
    std::lock_guard guard{ends_mutex_};
    ends_[path] = in->render(reason);
  });
  settle();
  return who;
}

std::string world::end_of(const std::string& path) const {
  std::lock_guard guard{ends_mutex_};
  auto at_path = ends_.find(path);
  return at_path == ends_.end() ? "" : at_path->second;
}

appender_actor world::start_appender(std::uint16_t partition) {
  auto handle =
    spawn_metered<appender_state>(*system_, where, partition_path(partition, "appender"),
                                  [this, partition](appender_state& state) { state.prepare(&context, partition); });
  return watched(partition_path(partition, "appender"), handle);
}

// And those it hands on to, unless they are there already.
window_actor world::start_window(std::uint16_t partition) {
  auto start = [&]<class State>(const char* child) {
    auto path = partition_path(partition, child);
    return watched(path, spawn_metered<State>(*system_, where, path,
                                              [this, partition](State& state) { state.prepare(&context, partition); }));
  };
  if (!where.find(partition_path(partition, "inference"))) start.operator()<inference_state>("inference");
  if (!where.find(partition_path(partition, "features"))) start.operator()<features_state>("features");
  return start.operator()<window_state>("window");
}

hub_actor world::start_hub() {
  auto handle =
    spawn_metered<hub_state>(*system_, where, "/hub", [this](hub_state& state) { state.prepare(&context, links); });
  return watched("/hub", handle);
}

listener world::listen(const std::string& path) {
  listener out{{}, std::make_shared<std::mutex>(), std::make_shared<listener::heard>()};
  auto note = [mutex = out.mutex](auto& list, const auto& what) {
    std::lock_guard guard{*mutex};
    list.push_back(what);
  };
  out.handle = system_->spawn([note, all = out.all](caf::event_based_actor* self) -> caf::behavior {
    return {
      [=](verb::appended, std::uint16_t, std::uint64_t number) { note(all->appended, number); },
      [=](const fresh_entries& what) { note(all->entries, what); },
      [=](const fresh_derived& what) { note(all->bars, what); },
      [=](verb::committed, std::uint64_t offset) { note(all->committed, offset); },
      [=](verb::set_aside, const std::string& key, bool done) {
        note(all->set_aside, std::pair{key, done});
      },
      [=](const sys_event& what) { note(all->events, what); },
      [=](const subscription_change& what) { note(all->changes, what); },
      [=](verb::stop) { self->quit(); },
    };
  });
  if (!path.empty())
    where.enter(path, caf::actor_cast<caf::strong_actor_ptr>(out.handle), std::make_shared<actor_gauge>());
  settle();
  return out;
}

void world::kill(const std::string& path) {
  auto who = find<caf::actor>(path);
  if (!who) return;
  caf::anon_send<caf::message_priority::high>(who,
                                              caf::exit_msg{who.address(), caf::make_error(caf::exit_reason::kill)});
  settle();
}

void world::forget(const std::string& path) {
  if (auto who = where.find(path)) where.leave(path, who->address());
}

std::optional<std::string> world::status(const std::string& path) {
  auto who = find<observable>(path);
  if (!who) return std::nullopt;
  std::optional<std::string> out;
  caf::scoped_actor self{*system_};
  auto asked =
    self->request(who, how_ == pace::stepped ? caf::duration{caf::infinite} : caf::duration{std::chrono::seconds{10}},
                  verb::status_v);
  settle();
  asked.receive([&](const status_report& report) { out = report.state; }, [](const caf::error&) {});
  return out;
}

bool world::alive(const caf::actor_addr& who) const {
  auto strong = caf::actor_cast<caf::actor>(who);
  if (!strong) return false;
  return !caf::actor_cast<caf::abstract_actor*>(strong)->getf(caf::abstract_actor::is_terminated_flag);
}

// ---- what is in the log

std::string world::saved(const std::string& table, const std::string& key) const {
  auto value = context.log->get(table, key);
  ensure(value.has_value(), "a table of the log can be read");
  return value->value_or("");
}

std::vector<record> world::records(topic of, std::uint16_t partition) const {
  std::vector<record> out;
  auto range = context.log->range(of, partition);
  ensure(range.has_value(), "the log has a range");
  for (auto offset = range->head; offset < range->next;) {
    auto some = context.log->read(of, partition, offset, 1 << 20);
    ensure(some.has_value() && !some->empty(), "the log can be read");
    offset = some->back().next();
    std::move(some->begin(), some->end(), std::back_inserter(out));
  }
  return out;
}

std::vector<log_entry_ptr> world::entries(std::uint16_t partition) const {
  std::vector<log_entry_ptr> out;
  for (auto& r : records(topic::events, partition)) {
    auto entry = to_log_entry(std::move(r));
    ensure(entry.has_value(), "an entry of the log can be read");
    out.push_back(std::move(*entry));
  }
  return out;
}

std::vector<std::int64_t> world::events_in_log(std::uint16_t partition) const {
  std::vector<std::int64_t> out;
  for (auto& entry : entries(partition))
    if (entry->events)
      for (auto& row : entry->events->rows) out.push_back(row.seq);
  return out;
}

std::vector<derived> world::derived_in_log(std::uint16_t partition) const {
  std::vector<derived> out;
  for (auto& r : records(topic::bars, partition)) {
    auto one = to_derived_record(r);
    ensure(one.has_value(), "a record of bars can be read");
    out.insert(out.end(), (*one)->items.begin(), (*one)->items.end());
  }
  return out;
}

std::vector<dead_letter> world::letters(topic of) const {
  std::vector<dead_letter> out;
  for (auto& r : records(of)) {
    auto letter = dead_letter_from_msgpack(r.payload);
    ensure(letter.has_value(), "a dead letter can be read");
    out.push_back(std::move(*letter));
  }
  return out;
}

std::uint64_t world::counted(const std::string& metric_and_labels) const {
  auto text = registry.exposition();
  auto at_line = text.find("\n" + metric_and_labels + " ");
  if (at_line == std::string::npos) return 0;
  return static_cast<std::uint64_t>(std::stod(text.substr(at_line + metric_and_labels.size() + 2)));
}

chunk_part_ptr part_of(const std::vector<happening>& events, std::optional<resume_point> resume) {
  auto out = std::make_shared<chunk_part>();
  out->feed = "feed";
  if (!events.empty()) out->events = std::make_shared<event_batch>(make_batch(events));
  out->resume = std::move(resume);
  return out;
}

bar_rules rules_of_one_second() {
  bar_rules rules;
  rules.intervals = {second};
  rules.clock.allow_late = 500 * millisecond;
  return rules;
}

} // namespace finstream::test
