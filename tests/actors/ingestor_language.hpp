// The language of tests of feeds: a feed is a line of shell, its log has one partition or more, and its appenders can
// be made to crash. All of it runs with threads and real processes, so a test waits for what it says.
#pragma once

#include "actors/appender.hpp"
#include "actors/ingestor.hpp"
#include "actors/supervisor.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/world.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

namespace finstream::test {

inline std::string event_line(const std::string& seq, const std::string& more = "") {
  return R"({"symbol":"SPY","src_ts":"2020-01-06T14:30:00Z","seq":)" + seq + more + R"(,"price":10,"size":1})";
}
// Shell that prints events with these seqs.
inline std::string events(int first, int last) {
  return "seq -f '" + event_line("%.0f") + "' " + std::to_string(first) + " " + std::to_string(last) + "; ";
}
inline std::string print(const std::string& line) { return "echo '" + line + "'; "; }
inline const std::string hello = print(R"({"type":"hello"})");
inline const std::string eof = print(R"({"type":"eof"})");
inline const std::string stay = "exec sleep 1000";

inline constexpr std::size_t chunk_bytes = 8192;
// So many lines may a number of chunks hold.
inline int most_lines(std::size_t chunks) {
  return static_cast<int>(chunks * (chunk_bytes / event_line("1").size() + 1));
}

struct feed_world : world {
  feed_world() : world{pace::threads} {
    feed.name = "f";
    feed.backoff.initial_ms = 20;
    feed.backoff.max_ms = 20;
    feed.stop_grace_ms = 5000;
    feed.ready_timeout_ms = 60'000;
    feed.overflow_kill_ms = 60'000;
    feed.max_line_bytes = 1000;
    config.limits.chunk_bytes = chunk_bytes;
    hub = listen("/hub");
  }
  ~feed_world() { end_all(); } // its actors read `feed`

  void start(const std::string& script) {
    supervisor_plan plan;
    plan.max_restarts = 1000;
    for (int p = 0; p < config.partitions; ++p)
      plan.children.push_back({{std::to_string(p), restart_kind::permanent, second},
                               [this, p](caf::actor_system& s, const std::string& path) {
                                 supervisor_plan inner;
                                 inner.max_restarts = 1000;
                                 inner.children.push_back(
                                   {{"appender", restart_kind::permanent, second},
                                    [this, p](caf::actor_system& in, const std::string& where_to) {
                                      return caf::actor_cast<caf::actor>(spawn_metered<appender_state>(
                                        in, where, where_to, [this, p](appender_state& state) {
                                          state.prepare(&context, static_cast<std::uint16_t>(p));
                                        }));
                                    }});
                                 return spawn_supervisor(s, &context, path, inner);
                               }});
    spawn_supervisor(system(), &context, "/partitions", plan);
    until([&] { return figures.partitions_recovered == config.partitions; });
    start_feed(script);
  }
  void start_feed(const std::string& script) {
    feed.command = {"sh", "-c", script};
    ingestor = spawn_metered<ingestor_state>(system(), where, "/feeds/f",
                                             [this](ingestor_state& state) { state.prepare(&context, &feed); });
  }
  // A field of the ingestor's own words; a number or a text.
  std::string say(const std::string& field) {
    auto text = status("/feeds/f").value_or("{}");
    auto at_field = text.find("\"" + field + "\":");
    if (at_field == std::string::npos) return "";
    auto begin = at_field + field.size() + 3;
    return text[begin] == '"' ? text.substr(begin + 1, text.find('"', begin + 1) - begin - 1)
                              : text.substr(begin, text.find_first_of(",}", begin) - begin);
  }
  int number(const std::string& field) { return std::atoi(say(field).c_str()); }
  bool comes_to(const std::string& phase) {
    return until([&] { return say("phase") == phase; });
  }
  bool announced(sys_kind kind, const std::string& reason = "") {
    return until([&] {
      for (auto& event : hub.now().events)
        if (event.kind == kind && event.subject == "/feeds/f" && event.reason.find(reason) != std::string::npos)
          return true;
      return false;
    });
  }
  // "up down:eof" of one provider, as the log has it.
  std::string told_log(const std::string& provider = "f", std::uint16_t partition = 0) const {
    std::string out;
    for (auto& entry : entries(partition))
      if (entry->kind == static_cast<std::uint8_t>(record_kind::source) && entry->source.provider == provider) {
        out += (out.empty() ? "" : " ") + std::string{to_string(entry->source.change)};
        if (!entry->source.reason.empty()) out += ":" + entry->source.reason;
      }
    return out;
  }
  bool gone(int pid) {
    return until([&] { return ::kill(pid, 0) != 0; });
  }

  feed_settings feed;
  ingestor_actor ingestor;
  listener hub;
  temp_dir files;
};

} // namespace finstream::test
