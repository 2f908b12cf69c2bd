// Publishing to a server that goes away again and again: nothing that was acknowledged is lost, and nothing is there
// twice.
#pragma once

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_language.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

namespace finstream::test {

struct outage_rules {
  std::uint64_t messages = 4000;
  std::string ballast;              // behind the number in each body
  int most_asked = 3000;            // times, until the server says what it has
  std::size_t read_messages = 1000; // at a time, at the end
  std::function<void()> disturb;    // the server: it goes away, and comes back
};

// Publishes all, while the server goes away three times. How many calls have failed by it.
inline std::uint64_t publish_through_outages(broker& client, const std::string& stream, const outage_rules& rules) {
  std::atomic<std::uint64_t> acknowledged = 0;
  std::uint64_t outages = 0;
  std::thread writer{[&] {
    for (std::optional<message_number> last; acknowledged < rules.messages;) {
      auto until = std::min(rules.messages, acknowledged + 40);
      auto messages = transactions(acknowledged + 1, until);
      for (auto& x : messages) x.body += rules.ballast;
      if (client.publish(stream, last, messages)) {
        acknowledged = until;
        last = message_number{until, 0};
        continue;
      }
      ensure(++outages < 1000, "it goes on after an outage");
      auto ends = client.ends(stream);
      for (int waited = 0; !ends; ends = client.ends(stream), pause(millisecond))
        ensure(++waited < rules.most_asked, ends.error().message.c_str());
      auto reached = ends->last ? ends->last->transaction : 0;
      ensure(reached >= acknowledged && reached <= until, "what was acknowledged is there");
      acknowledged = reached;
      last = ends->last;
    }
  }};
  for (auto eighth : {1u, 3u, 5u}) {
    while (acknowledged < rules.messages * eighth / 8) std::this_thread::yield();
    rules.disturb();
  }
  writer.join();
  return outages;
}

inline void check_that_each_is_there_once(broker& client, const std::string& stream, const outage_rules& rules) {
  std::optional<message_number> after;
  for (std::uint64_t i = 1; i <= rules.messages;) {
    auto messages = must(client.read(stream, after, rules.read_messages, no_limit));
    CAF_REQUIRE(!messages.empty());
    for (auto& x : messages) {
      CAF_REQUIRE_EQUAL(x.body, std::to_string(i++) + rules.ballast);
      after = x.number;
    }
  }
}

} // namespace finstream::test
