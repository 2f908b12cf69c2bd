#define CAF_SUITE broker_nats

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_nats_server.hpp"

#include <algorithm>

namespace {

struct broker_subject {
  finstream::test::nats_server server;

  std::unique_ptr<finstream::broker> open(finstream::broker_options options) {
    options.url = server.url();
    return finstream::test::must(finstream::open_nats_broker(options));
  }
  void pass(finstream::nanoseconds span) { finstream::pause(span); }
  // The contract's streams begin at 1 and have one part a transaction: there a number is its sequence.
  void lose_before(const std::string& stream, finstream::message_number first_kept) {
    auto name = stream;
    std::ranges::replace(name, '.', '=');
    server.with_jetstream([&](natsConnection*, jsCtx* context) {
      jsOptions options;
      jsOptions_Init(&options);
      options.Stream.Purge.Sequence = first_kept.transaction;
      CAF_REQUIRE(js_PurgeStream(context, name.c_str(), &options, nullptr) == NATS_OK);
    });
  }
};

} // namespace

#include "tests/contracts/broker_contract.hpp"
