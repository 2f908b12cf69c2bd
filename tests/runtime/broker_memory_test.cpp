#define CAF_SUITE broker_memory

#include "runtime/broker/memory_broker.hpp"

namespace {

struct broker_subject {
  finstream::manual_clock time;
  finstream::memory_broker_server server{time};

  std::unique_ptr<finstream::broker> open(finstream::broker_options options) { return server.open(options); }
  void pass(finstream::nanoseconds span) { time.advance(span); }
  void lose_before(const std::string& stream, finstream::message_number first_kept) {
    server.lose_before(stream, first_kept);
  }
};

} // namespace

#include "tests/contracts/broker_contract.hpp"

CAF_TEST_FIXTURE_SCOPE(broker_memory_tests, broker_contract)

CAF_TEST(a server that cannot be reached changes nothing and counts) {
  publish(1, 2);
  server.server.set_reachable(false);
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 3))) == errc::unreachable);
  CAF_CHECK(code_of(client->ends(stream)) == errc::unreachable);
  CAF_CHECK(code_of(client->health()) == errc::unreachable);
  server.server.set_reachable(true);
  CAF_CHECK_EQUAL(read(), "1 2");
  CAF_CHECK_EQUAL(client->statistics().failures, 3u);
  CAF_CHECK_EQUAL(client->statistics().connects, 2u);
}

CAF_TEST(a publish that breaks in the middle is gone on with) {
  publish(1, 1);
  server.server.break_after(2);
  CAF_CHECK(code_of(client->publish(stream, message_number{1, 0}, transactions(2, 5))) == errc::unreachable);
  auto ends = must(client->ends(stream));
  CAF_CHECK_EQUAL(text(ends.last), "3.0");
  must(client->publish(stream, ends.last, transactions(4, 5)));
  CAF_CHECK_EQUAL(read(), "1 2 3 4 5");
}

CAF_TEST(a publish may be whole and its answer lost) {
  server.server.break_after(3);
  publish(1, 1);
  CAF_CHECK(code_of(client->publish(stream, message_number{1, 0}, transactions(2, 3))) == errc::unreachable);
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "3.0");
  publish(4, 4);
  server.server.break_after(0);
  CAF_CHECK(code_of(client->publish(stream, message_number{4, 0}, transactions(5, 5))) == errc::unreachable);
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "4.0");
}

CAF_TEST(a full server refuses and a message over the limit is an error) {
  server.server.set_full(true);
  CAF_CHECK(code_of(client->publish(stream, {}, transactions(1, 1))) == errc::overloaded);
  server.server.set_full(false);
  server.server.set_max_message_bytes(10);
  CAF_CHECK(code_of(client->publish(stream, {}, std::vector{part(1, 0, true, "eleven char")})) ==
            errc::invalid_argument);
  publish(1, 1);
}

CAF_TEST(a server may come back with an older state) {
  make_group();
  publish(1, 5);
  CAF_CHECK_EQUAL(take("c", 4), "1 2 3 4");
  server.server.lose_behind(stream, message_number{3, 0});
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "3.0");
  CAF_CHECK(code_of(client->publish(stream, message_number{5, 0}, transactions(6, 6))) == errc::conflict);
  publish(4, 5);
  CAF_CHECK_EQUAL(take("c"), "4 5");
}

CAF_TEST_FIXTURE_SCOPE_END()
