#include "actors/logic/source_clock.hpp"

#include <algorithm>

namespace finstream {

void source_clock::change(std::size_t provider, source_change what, timestamp log_ts) {
  auto& p = providers_[provider];
  p.is_up = what != source_change::down && what != source_change::restarting;
  if (!seen(p)) return;
  if (what == source_change::restarting || what == source_change::up) p.waited_for_until = log_ts + rules_.resume_grace;
  if (what == source_change::down || what == source_change::eof) p.waited_for_until = earliest;
}

void source_clock::node_started(timestamp log_ts) {
  for (auto& p : providers_) {
    p.is_up = false;
    if (seen(p)) p.waited_for_until = log_ts + rules_.resume_grace;
  }
}

timestamp source_clock::watermark(timestamp log_ts) const {
  auto lowest = timestamp{std::numeric_limits<std::int64_t>::max()};
  for (auto& p : providers_)
    if (seen(p) && !idle(p, log_ts)) lowest = std::min(lowest, p.newest - rules_.allow_late);
  return lowest.ns == std::numeric_limits<std::int64_t>::max() ? earliest : lowest;
}

bool source_clock::is_idle(timestamp log_ts) const {
  return std::all_of(providers_.begin(), providers_.end(), [&](auto& p) { return !seen(p) || idle(p, log_ts); });
}

timestamp source_clock::extrapolated(timestamp log_ts) const {
  auto furthest = earliest;
  for (auto& p : providers_)
    if (seen(p)) furthest = std::max(furthest, p.newest + (log_ts - p.last_log_ts) - rules_.flush_timeout);
  return furthest;
}

bool source_clock::is_down() const {
  return std::none_of(providers_.begin(), providers_.end(), [](auto& p) { return p.is_up; });
}

timestamp source_clock::newest() const {
  auto out = earliest;
  for (auto& p : providers_) out = std::max(out, p.newest);
  return out;
}

void source_clock::save(byte_writer& out) const {
  out.number(providers_.size());
  for (auto& p : providers_) {
    out.signed_number(p.newest.ns);
    out.signed_number(p.last_log_ts.ns);
    out.signed_number(p.waited_for_until.ns);
    out.number(p.is_up ? 1 : 0);
  }
}

void source_clock::load(byte_reader& in) {
  providers_.resize(in.count(4));
  for (auto& p : providers_) {
    p.newest.ns = in.signed_number();
    p.last_log_ts.ns = in.signed_number();
    p.waited_for_until.ns = in.signed_number();
    p.is_up = in.number() != 0;
  }
}

} // namespace finstream
