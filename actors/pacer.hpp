// PACER: the requests of all feeds that poll one provider, held to its limits. A feed asks before it makes requests and
// waits for the grant; one that paces itself says what it has made. What was too many is counted: it should be none.
#pragma once

#include "actors/context.hpp"
#include "actors/logic/request_pacing.hpp"
#include "actors/logic/seldom_told.hpp"
#include "messages/protocols.hpp"

#include <map>
#include <optional>
#include <utility>

namespace finstream {

struct pacer_state {
  using interface = pacer_actor;
  static constexpr const char* name = "pacer";

  explicit pacer_state(actor_of<pacer_state>* self) : self_{self} {}
  void prepare(node_context* context, const provider_settings* provider);
  interface::behavior_type behavior();

private:
  struct feed {
    std::uint64_t run = 0; // of its process
    grant_listener listener;
  };

  void on_pace(const pace_line& what, std::uint64_t run, const grant_listener& from);
  void give();
  void count_violations(std::uint64_t requests, const char* why);
  status_report status() const;

  actor_of<pacer_state>* self_;
  node_context* context_ = nullptr;
  const provider_settings* provider_ = nullptr;
  std::string path_;
  std::optional<request_pacing> pacing_;
  std::map<caf::actor_id, feed> feeds_;
  nanoseconds pulse_at_ = 0; // 0: none is under way
  seldom_told violations_told_;
  metrics::counter* granted_ = nullptr;
  metrics::counter* violations_ = nullptr;
  metrics::gauge* waiting_ = nullptr;
};

inline std::string pacer_path(const std::string& provider) { return "/pacing/" + provider; }

} // namespace finstream
