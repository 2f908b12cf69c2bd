#include "actors/pacer.hpp"

#include "runtime/log/log.hpp"

#include <chrono>
#include <fmt/format.h>

namespace finstream {

void pacer_state::prepare(node_context* context, const provider_settings* provider) {
  context_ = context;
  provider_ = provider;
  path_ = pacer_path(provider->name);
}

pacer_state::interface::behavior_type pacer_state::behavior() {
  auto& limit = provider_->pacing;
  pacing_.emplace(make_pacing_rules(limit.requests_per_s, limit.burst), context_->time->monotonic());
  granted_ = &context_->metrics->pacing_granted(provider_->name);
  violations_ = &context_->metrics->pacing_violations(provider_->name);
  waiting_ = &context_->metrics->pacing_waiting(provider_->name);
  self_->set_down_handler([this](const caf::down_msg& down) {
    pacing_->withdraw(down.source.id());
    feeds_.erase(down.source.id());
  });
  return {
    [this](verb::pace, const pace_line& what, std::uint64_t run, const grant_listener& from) {
      on_pace(what, run, from);
    },
    [this](verb::pulse) {
      pulse_at_ = 0;
      give();
    },
    [this](verb::stop) { self_->quit(); },
    [this](verb::status) { return status(); },
  };
}

void pacer_state::on_pace(const pace_line& what, std::uint64_t run, const grant_listener& from) {
  auto now = context_->time->monotonic();
  auto [at, fresh] = feeds_.try_emplace(from.id(), feed{run, from});
  if (fresh) self_->monitor(from);
  if (at->second.run != run) pacing_->withdraw(from.id()); // an earlier process asked, and is gone
  at->second.run = run;
  switch (what.kind) {
  case pace_kind::ask:
    if (!pacing_->ask(from.id(), what.requests)) count_violations(what.requests, "asked for, and nobody waits so long");
    break;
  case pace_kind::made:
    if (auto many = pacing_->note_made(what.requests, now); many != 0)
      count_violations(many, "made without being granted");
    break;
  case pace_kind::refused:
    pacing_->close_for(what.pause, now);
    count_violations(what.requests, "refused by the provider");
    break;
  case pace_kind::withdrawn: pacing_->withdraw(from.id()); break;
  }
  give();
}

void pacer_state::give() {
  auto now = context_->time->monotonic();
  for (auto& grant : pacing_->give(now)) {
    auto& to = feeds_.at(grant.asker);
    granted_->add(grant.requests);
    self_->send(to.listener, verb::grant_v, to.run, grant.requests);
  }
  waiting_->set(static_cast<double>(pacing_->waiting()));
  auto next = pacing_->next();
  if (!next || (pulse_at_ != 0 && pulse_at_ <= *next)) return;
  pulse_at_ = *next;
  self_->delayed_send(self_, std::chrono::nanoseconds{*next - now}, verb::pulse_v);
}

void pacer_state::count_violations(std::uint64_t requests, const char* why) {
  violations_->add(requests);
  if (auto told = violations_told_.add(requests, context_->time->monotonic()))
    log::warning(path_, "{} requests beyond the limits of {}, the last {}", *told, provider_->name, why);
}

status_report pacer_state::status() const {
  return {path_, fmt::format(R"({{"feeds":{},"waiting":{},"granted":{},"violations":{}}})", feeds_.size(),
                             pacing_->waiting(), granted_->value(), violations_->value())};
}

} // namespace finstream
