// How far in its own time a source set is: its watermark, and whether it is idle, down or being restarted. CONVENTIONS
// 5 is this file's text; docs/decisions/0004 says why a set that is being restarted is waited for.
#pragma once

#include "messages/event/source_event.hpp"
#include "messages/value/bytes.hpp"
#include "messages/value/timestamp.hpp"

#include <string>
#include <vector>

namespace finstream {

struct source_clock_rules {
  nanoseconds allow_late = 500 * millisecond;
  nanoseconds flush_timeout = 1 * second;
  nanoseconds resume_grace = 10 * second;
};

class source_clock {
public:
  source_clock(source_clock_rules rules, std::size_t providers) : rules_{rules}, providers_(providers) {}

  // An accepted event or a heartbeat: true if the watermark may have moved.
  bool advance(std::size_t provider, timestamp src_ts, timestamp log_ts) {
    auto& p = providers_[provider];
    p.last_log_ts = log_ts;
    p.waited_for_until = earliest;
    p.is_up = true;
    if (src_ts <= p.newest) return false;
    p.newest = src_ts;
    return true;
  }
  void change(std::size_t provider, source_change what, timestamp log_ts);
  // The node was down: every source that was there is waited for.
  void node_started(timestamp log_ts);

  // Newest src_ts less the lateness, over the providers that are not idle at `log_ts`; `earliest` if all are idle.
  timestamp watermark(timestamp log_ts) const;
  // All providers are idle, and none is waited for.
  bool is_idle(timestamp log_ts) const;
  // Where an idle set's own time would stand if it had run on: newest src_ts plus the log time since, less the
  // time-out.
  timestamp extrapolated(timestamp log_ts) const;
  bool is_down() const; // no provider's process is there
  timestamp newest() const;
  std::size_t providers() const { return providers_.size(); }

  void obey(source_clock_rules rules) { rules_ = rules; }
  void adopt(const source_clock& other) { providers_ = other.providers_; } // what is known, under this one's rules
  void save(byte_writer& out) const;
  void load(byte_reader& in);

private:
  struct provider_state {
    timestamp newest = earliest;      // max accepted src_ts
    timestamp last_log_ts = earliest; // of the last event or heartbeat
    timestamp waited_for_until = earliest;
    bool is_up = false;
  };
  bool seen(const provider_state& p) const { return p.newest != earliest; }
  bool idle(const provider_state& p, timestamp log_ts) const {
    return log_ts >= p.waited_for_until && log_ts - p.last_log_ts > rules_.flush_timeout;
  }

  source_clock_rules rules_;
  std::vector<provider_state> providers_;
};

} // namespace finstream
