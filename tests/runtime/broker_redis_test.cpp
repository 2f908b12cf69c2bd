#define CAF_SUITE broker_redis

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_redis_server.hpp"

namespace {

struct broker_subject {
  finstream::test::redis_server server;

  std::unique_ptr<finstream::broker> open(finstream::broker_options options) {
    options.url = server.url();
    return finstream::test::must(finstream::open_redis_broker(options));
  }
  void pass(finstream::nanoseconds span) { finstream::pause(span); }
  void lose_before(const std::string& stream, finstream::message_number first_kept) {
    server.say({"XTRIM", stream, "MINID", std::to_string(first_kept.transaction) + "-0"});
  }
};

} // namespace

#include "tests/contracts/broker_contract.hpp"
