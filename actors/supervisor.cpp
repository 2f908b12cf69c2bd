#include "actors/supervisor.hpp"

#include "messages/codec/json.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <chrono>

namespace finstream {

namespace {

constexpr auto look_after_stops_every = std::chrono::milliseconds{50};

// Overtakes the backlog: an exit message of normal priority would wait behind it.
void send_kill(const caf::actor& who) {
  caf::anon_send<caf::message_priority::high>(who,
                                              caf::exit_msg{who.address(), caf::make_error(caf::exit_reason::kill)});
}

bool is_normal(const caf::error& reason) {
  return !reason || reason == caf::exit_reason::normal || reason == caf::exit_reason::user_shutdown;
}

} // namespace

void supervisor_state::prepare(node_context* context, std::string path, supervisor_plan plan) {
  context_ = context;
  path_ = std::move(path);
  plan_ = std::move(plan);
  children_.resize(plan_.children.size());
  intensity_.emplace(plan_.max_restarts, plan_.period);
}

supervisor_state::interface::behavior_type supervisor_state::behavior() {
  self_->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
  start_all();
  return {
    [this](verb::restart, const std::string& path) { return restart_by_hand(path); },
    [this](verb::pulse) { on_pulse(); },
    [this](verb::stop) {
      stopping_ = true;
      to_start_.clear();
      stop_next();
    },
    [this](verb::status) { return status(); },
  };
}

supervisor_state::~supervisor_state() {
  for (auto& child : children_)
    if (child.handle) send_kill(child.handle);
}

// If this supervisor takes the place of one that crashed, that one's children must be gone first: a partition has one
// writer.
void supervisor_state::start_all() {
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (auto old = context_->where->find_as<caf::actor>(child_path(i))) {
      predecessors_.push_back(old.address());
      self_->monitor(old);
      send_kill(old);
    }
  if (predecessors_.empty())
    for (std::size_t i = 0; i < children_.size(); ++i) start(i);
}

std::string supervisor_state::child_path(std::size_t index) const {
  return (path_ == "/" ? path_ : path_ + "/") + plan_.children[index].spec.id;
}

void supervisor_state::start(std::size_t index) {
  auto& child = children_[index];
  if (child.handle) return; // asked for twice, by crashes that overlap
  child.handle = plan_.children[index].start(self_->system(), child_path(index));
  child.stopping = false;
  ++child.starts;
  self_->monitor(child.handle);
}

void supervisor_state::on_down(const caf::down_msg& down) {
  if (std::erase(predecessors_, down.source) != 0) {
    if (predecessors_.empty() && !stopping_)
      for (std::size_t i = 0; i < children_.size(); ++i) start(i);
    return;
  }
  auto at = std::find_if(children_.begin(), children_.end(),
                         [&](auto& c) { return c.handle && c.handle.address() == down.source; });
  if (at == children_.end()) return; // of an earlier life
  auto index = static_cast<std::size_t>(at - children_.begin());
  context_->where->leave(child_path(index), down.source);
  at->handle = nullptr;
  at->last_reason = self_->system().render(down.reason);
  if (std::exchange(at->stopping, false)) {
    if (stopping_) return stop_next();
    if (std::none_of(children_.begin(), children_.end(), [](auto& c) { return c.stopping; })) {
      auto again = std::exchange(to_start_, {});
      std::sort(again.begin(), again.end());
      for (auto i : again) start(i);
    }
    return;
  }
  if (stopping_) return;
  auto crashed = !is_normal(down.reason);
  if (comes_back(plan_.children[index].spec.restart, crashed)) on_crash(index, at->last_reason);
}

void supervisor_state::on_crash(std::size_t index, const std::string& reason) {
  context_->metrics->actor_restarts(child_path(index)).add();
  if (!intensity_->allow(context_->time->monotonic())) {
    log::error(child_path(index), "crashed once too often ({}): {} gives up and passes it on", reason, path_);
    for (auto& child : children_)
      if (child.handle) send_kill(child.handle);
    self_->quit(caf::make_error(caf::sec::runtime_error, child_path(index) + ": " + reason));
    return;
  }
  log::warning(child_path(index), "crashed and is started again: {}", reason);
  auto [first, last] = taken_along(plan_.on_crash, index, children_.size());
  restart_from(first, last);
}

// Stops those of [first, last) that still run, in reverse order of their start; all are started again when they are
// gone.
void supervisor_state::restart_from(std::size_t first, std::size_t last) {
  auto waiting = false;
  for (auto i = last; i-- > first;) {
    to_start_.push_back(i);
    if (!children_[i].handle) continue;
    waiting = true;
    children_[i].stopping = true;
    send_kill(children_[i].handle); // its state is in the log: there is nothing to say goodbye to
  }
  if (waiting || std::any_of(children_.begin(), children_.end(), [](auto& c) { return c.stopping; })) return;
  auto again = std::exchange(to_start_, {});
  std::sort(again.begin(), again.end());
  for (auto i : again) start(i);
}

// The last one that still runs is told to finish, or all of them if they are independent; each end brings us back here.
void supervisor_state::stop_next() {
  auto under_way = false;
  for (auto i = children_.size(); i-- > 0;) {
    if (!children_[i].handle) continue;
    if (!children_[i].stopping) tell_to_finish(i);
    under_way = true;
    if (!plan_.independent) return;
  }
  if (!under_way) self_->quit();
}

void supervisor_state::tell_to_finish(std::size_t index) {
  auto& child = children_[index];
  child.stopping = true;
  child.stop_by = context_->time->monotonic() + plan_.children[index].spec.stop_timeout;
  caf::anon_send<caf::message_priority::high>(caf::actor_cast<caf::actor>(child.handle), verb::stop_v);
  if (!std::exchange(looking_after_stops_, true)) self_->delayed_send(self_, look_after_stops_every, verb::pulse_v);
}

void supervisor_state::on_pulse() {
  looking_after_stops_ = false;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    auto& child = children_[i];
    if (!child.stopping || !child.handle || child.stop_by == 0) continue;
    if (context_->time->monotonic() < child.stop_by) {
      looking_after_stops_ = true;
      continue;
    }
    log::warning(child_path(i), "did not finish within its time and is killed");
    child.stop_by = 0;
    send_kill(child.handle);
  }
  if (looking_after_stops_) self_->delayed_send(self_, look_after_stops_every, verb::pulse_v);
}

bool supervisor_state::restart_by_hand(const std::string& path) {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (child_path(i) != path) continue;
    if (stopping_ || !predecessors_.empty()) return false; // it is about to end, or to be started anyway
    restart_from(i, i + 1);
    return true;
  }
  return false;
}

status_report supervisor_state::status() const {
  std::string out = R"({"children":[)";
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (i != 0) out += ',';
    out += R"({"path":)";
    append_json_string(out, child_path(i));
    out += fmt::format(R"(,"running":{},"starts":{},"last_reason":)", static_cast<bool>(children_[i].handle),
                       children_[i].starts);
    append_json_string(out, children_[i].last_reason);
    out += '}';
  }
  return {path_, out + "]}"};
}

caf::actor spawn_supervisor(caf::actor_system& system, node_context* context, const std::string& path,
                            supervisor_plan plan) {
  auto handle = spawn_metered<supervisor_state>(system, *context->where, path,
                                                [=](supervisor_state& state) { state.prepare(context, path, plan); });
  return caf::actor_cast<caf::actor>(handle);
}

} // namespace finstream
