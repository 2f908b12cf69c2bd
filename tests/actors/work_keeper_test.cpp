#define CAF_SUITE work_keeper

#include "actors/work_keeper.hpp"
#include "runtime/broker/memory_broker.hpp"
#include "tests/support/suite.hpp"
#include "tests/support/world.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

constexpr nanoseconds claim_after = 2 * second;

// A process: a world with a keeper, and the log that it shares.
struct process : world {
  memory_broker_server& broker_there;
  std::string name;
  std::unique_ptr<brokered_bus> shared;
  work_keeper_actor keeper;

  process(memory_broker_server& server, std::string who, int partitions = 4, std::uint64_t log_id = 1)
    : broker_there{server}, name{std::move(who)} {
    config.partitions = partitions;
    context.duties = {false, true, true};
    broker_link_options options;
    options.open_broker = [&server]() -> expected<std::unique_ptr<broker>> { return server.open(); };
    options.partitions = partitions;
    options.writes_events = false;
    options.claims_outputs = true;
    options.time = &time;
    shared =
      std::make_unique<brokered_bus>(open_memory_bus(7), log_id, options, server.open(), "memory", server.open());
    start();
  }
  ~process() { kill("/work"); } // before its log
  void start() {
    keeper = spawn_metered<work_keeper_state>(system(), where, "/work", [this](work_keeper_state& state) {
      state.prepare(&context,
                    {shared.get(), [this]() -> expected<std::unique_ptr<broker>> { return broker_there.open(); },
                     "work", name, claim_after});
    });
    settle();
  }
  int held() const { return context.partitions_at_work(); }
};

// In turns, so that time passes for all.
template <class... Processes> void pass(nanoseconds span, Processes&... all) {
  for (nanoseconds at = 0; at < span; at += 100 * millisecond) (all.pass(100 * millisecond), ...);
}

} // namespace

CAF_TEST(one process has all and two have half each) {
  memory_broker_server server;
  process first{server, "first"};
  CAF_CHECK_EQUAL(first.held(), 4);
  process second_one{server, "second"};
  pass(second, first, second_one);
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
  for (std::uint16_t p = 0; p < 4; ++p) CAF_CHECK(first.context.works_on(p) != second_one.context.works_on(p));
}

CAF_TEST(what a dead process had is claimed when it was not heard of for so long) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  pass(claim_after - 500 * millisecond, first); // the second stands still
  CAF_CHECK_EQUAL(first.held(), 2);
  pass(second, first);
  CAF_CHECK_EQUAL(first.held(), 4);
  pass(second, first, second_one); // it goes on, and has a share again
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
}

CAF_TEST(what a process that is told to stop had is taken at once) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  second_one.tell(second_one.keeper, verb::stop_v);
  CAF_CHECK_EQUAL(second_one.held(), 0);
  pass(300 * millisecond, first);
  CAF_CHECK_EQUAL(first.held(), 4);
}

CAF_TEST(while the broker is away all keep what they have) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  server.set_reachable(false);
  pass(10 * second, first, second_one);
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
  server.set_reachable(true);
  pass(3 * second, first, second_one);
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
}

CAF_TEST(who may not write to a partition waits until it may) {
  memory_broker_server server;
  server.set_guarded({"finstream.outputs:1"});
  process first{server, "first"};
  pass(10 * second, first);
  CAF_CHECK(!first.context.works_on(1));
  server.set_guarded({});
  pass(second, first);
  CAF_CHECK_EQUAL(first.held(), 4);
}

CAF_TEST(a keeper that was started again has what it had) {
  memory_broker_server server;
  process first{server, "first"};
  first.kill("/work");
  CAF_CHECK_EQUAL(first.held(), 0);
  first.start();
  CAF_CHECK_EQUAL(first.held(), 4);
}

CAF_TEST(who counts other partitions takes none) {
  memory_broker_server server;
  process first{server, "first", 4}, other{server, "other", 2};
  pass(second, first, other);
  CAF_CHECK_EQUAL(first.held(), 4);
  CAF_CHECK_EQUAL(other.held(), 0);
}

CAF_TEST(a partition can be written to by the one who holds it alone) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  for (std::uint16_t p = 0; p < 4; ++p)
    for (auto* x : {&first, &second_one}) {
      transaction tx;
      tx.appends.push_back({topic::bars, p, record_kind::outputs, 1, x->time.now(), "x"});
      CAF_CHECK(x->shared->write(std::move(tx)).has_value() == x->context.works_on(p));
    }
}

CAF_TEST(what nobody can read is passed over) {
  memory_broker_server server;
  process first{server, "first"};
  auto client = server.open();
  auto ends = client->ends("work");
  broker_message garbled{{ends->last->transaction + 1, 0}, true, 1, "work", "{"};
  CAF_REQUIRE(client->publish("work", ends->last, std::span{&garbled, 1}).has_value());
  process second_one{server, "second"};
  pass(second, first, second_one);
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
}

CAF_TEST(a broker that has forgotten the last that was said stops nobody) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  auto client = server.open();
  auto last = client->ends("work")->last->transaction;
  server.lose_behind("work", message_number{last - 1, 0});
  pass(2 * second, first, second_one);
  pass(2 * claim_after, first); // the second is dead
  CAF_CHECK_EQUAL(first.held(), 4);
}

CAF_TEST(one who was away while the stream was trimmed begins anew) {
  memory_broker_server server;
  process first{server, "first"}, second_one{server, "second"};
  pass(second, first, second_one);
  pass(20 * second, first); // it claims what the second has, and goes on
  auto client = server.open();
  server.lose_before("work", {client->ends("work")->last->transaction - 1, 0});
  pass(second, second_one);
  CAF_CHECK_EQUAL(second_one.held(), 0); // and nothing of what it had
  pass(second, first, second_one);
  CAF_CHECK_EQUAL(first.held(), 2);
  CAF_CHECK_EQUAL(second_one.held(), 2);
}
