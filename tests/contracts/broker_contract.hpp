// What every driver of a broker must do, as sentences. A suite includes this after it has defined
//
//   struct broker_subject {                                                  // a server, with nothing in it
//     std::unique_ptr<finstream::broker> open(finstream::broker_options);    // one more client of it; the url is its
//     void pass(finstream::nanoseconds);                                     // so much of the server's time goes by
//     void lose_before(const std::string& stream, finstream::message_number first_kept); // not through a driver
//   };
//
// and its CAF_SUITE, and so runs all of it on its driver. What a broker cannot do by its nature it says in its
// capabilities, and the sentence is then another, or passed over with its reason. Of a server that is a mock and
// removes nothing, the subject says so: static constexpr const char* cannot_remove.
#pragma once

#include "tests/runtime/broker_language.hpp"

#include <limits>

namespace {

using namespace finstream;
using namespace finstream::test;

const std::string stream = "finstream.test:events-0"; // all that a name may have in it

struct broker_contract {
  broker_subject server;
  std::unique_ptr<broker> client = open();

  static constexpr int stale_after_ms = 1000; // no machine is so busy that a test is late by that

  std::unique_ptr<broker> open(int max_pending_messages = 1000) {
    broker_options options;
    options.stale_after_ms = stale_after_ms;
    options.max_pending_messages = max_pending_messages;
    options.health_interval_ms = 0;
    auto out = server.open(options);
    must(out->open_stream(stream));
    return out;
  }

  void publish(std::uint64_t first, std::uint64_t last) {
    auto after = first == 1 ? std::nullopt : std::optional{message_number{first - 1, 0}};
    must(client->publish(stream, after, transactions(first, last)));
  }
  std::string read(std::optional<message_number> after = {}, std::size_t limit = 1000, std::size_t bytes = no_limit) {
    return text(must(client->read(stream, after, limit, bytes)));
  }

  void make_group(const std::string& group = "g") { must(client->ensure_group(stream, group)); }
  std::string take(broker& by, const std::string& consumer, std::size_t limit = 100, nanoseconds patience = second) {
    return text(must(by.take(stream, "g", consumer, limit, patience)));
  }
  std::string take(const std::string& consumer, std::size_t limit = 100) { return take(*client, consumer, limit); }
  void acknowledge(std::uint64_t first, std::uint64_t last) {
    must(client->acknowledge(stream, "g", numbers(first, last)));
  }
  void become_stale() { server.pass((stale_after_ms + 50) * millisecond); }
  // What has become stale, however the broker hands it out.
  std::string take_stale(broker& by, const std::string& consumer, std::size_t limit = 100) {
    if (by.capabilities().claims_by_itself) return take(by, consumer, limit, 5 * second);
    return text(must(by.claim_stale(stream, "g", consumer, limit)).messages);
  }
  // Whether the sentence can be tried; it prints why not.
  template <class Subject = broker_subject> static bool server_removes() {
    if constexpr (requires { Subject::cannot_remove; }) {
      CAF_MESSAGE("passed over: " << Subject::cannot_remove);
      return false;
    }
    return true;
  }
  bool shares_by_message() const {
    if (client->capabilities().shares_by_message) return true;
    CAF_MESSAGE("passed over: one consumer of a group has the whole stream at a time");
    return false;
  }
  group_state state_of(const std::string& group = "g") {
    for (auto& x : must(client->groups(stream)))
      if (x.group == group) return x;
    CAF_FAIL("there is no group " + group);
  }
};

} // namespace

#include "tests/contracts/broker_group_contract.hpp"
#include "tests/contracts/broker_stream_contract.hpp"
