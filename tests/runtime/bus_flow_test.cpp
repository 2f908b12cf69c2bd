#define CAF_SUITE bus_flow

#include "messages/codec/msgpack.hpp"
#include "runtime/broker/memory_broker.hpp"
#include "runtime/bus/journal_writer.hpp"
#include "tests/runtime/bus_language.hpp"
#include "tests/support/suite.hpp"

#include <map>

using namespace finstream;
using namespace finstream::test;

namespace {

// A journal of outputs, with bars and features in it, and the writer that brings it to a broker.
struct flow_world {
  memory_broker_server server;
  std::unique_ptr<bus> local = open_memory_bus(7);
  std::unique_ptr<broker> to = server.open();
  flow_rules rules{
    .policy = overflow_policy::drop, .types = {"features"}, .slow_bytes = 100, .keep_one_in = 4, .drop_bytes = 1000};
  std::uint64_t entries = 0;

  // One bar and eight feature vectors.
  void write() {
    bar b;
    b.provider = "p", b.symbol = "S", b.interval = second, b.start = at(static_cast<int>(entries)),
    b.end = b.start + second;
    std::vector<derived> items{b};
    for (int i = 0; i < 8; ++i) {
      feature_vector v;
      v.provider = "p", v.symbol = "S" + std::to_string(i), v.interval = second, v.start = b.start;
      items.emplace_back(v);
    }
    auto tx = appends(
      {{topic::features, 0, record_kind::outputs, static_cast<std::uint32_t>(items.size()), at(0), to_msgpack(items)}});
    auto blocks = encode_blocks(tx, 7, compression::none);
    for (auto& x : blocks) tx.appends.push_back({topic::outputs_buffer, 0, record_kind::entry, 1, at(0), x});
    must(local->write(std::move(tx)));
    ++entries;
  }
  journal_writer writer(framing how = framing::event) {
    return {*local, {journal_side::outputs, 0}, "s", 1, how, rules};
  }
  std::map<std::string, int> in_stream() {
    std::map<std::string, int> out;
    for (auto& x : must(to->read("s", std::nullopt, 10'000, 1u << 30))) ++out[x.type];
    return out;
  }
  // Who reads only blocks has everything.
  std::uint64_t whole_entries() {
    message_reader reader;
    std::uint64_t out = 0;
    for (auto& x : must(to->read("s", std::nullopt, 10'000, 1u << 30)))
      if (auto block = must(reader.add(x)); block && !block->empty()) ++out;
    return out;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(flow_tests, flow_world)

CAF_TEST(while little waits all is sent) {
  auto w = writer();
  must(w.meet(*to));
  write();
  w.feel(100);
  CAF_CHECK_EQUAL(must(w.ship(*to, entries)).left_out, 0u);
  CAF_CHECK(in_stream() == (std::map<std::string, int>{{"bar", 1}, {"block", 1}, {"features", 8}}));
}

CAF_TEST(while much waits the types that may be thinned are and market data is not ) {
  auto w = writer();
  must(w.meet(*to));
  for (int i = 0; i < 3; ++i) write();
  w.feel(101);
  CAF_CHECK_EQUAL(must(w.ship(*to, entries)).left_out, 18u);
  CAF_CHECK(in_stream() == (std::map<std::string, int>{{"bar", 3}, {"block", 3}, {"features", 6}}));
  CAF_CHECK_EQUAL(whole_entries(), 3u);
}

CAF_TEST(it is slow until half of that waits) {
  auto w = writer();
  must(w.meet(*to));
  auto left_out_at = [&](std::uint64_t waiting) {
    write();
    w.feel(waiting);
    return must(w.ship(*to, entries)).left_out;
  };
  CAF_CHECK_EQUAL(left_out_at(101), 6u);
  CAF_CHECK_EQUAL(left_out_at(60), 6u);
  CAF_CHECK_EQUAL(left_out_at(50), 0u);
  CAF_CHECK_EQUAL(left_out_at(60), 0u);
}

CAF_TEST(while very much waits none of them is sent and the log is whole) {
  auto w = writer();
  must(w.meet(*to));
  for (int i = 0; i < 3; ++i) write();
  w.feel(1001);
  CAF_CHECK_EQUAL(must(w.ship(*to, entries)).left_out, 24u);
  CAF_CHECK(in_stream() == (std::map<std::string, int>{{"bar", 3}, {"block", 3}}));
  CAF_CHECK_EQUAL(whole_entries(), 3u);
}

CAF_TEST(where the policy is to delay nothing is ever left out) {
  rules.policy = overflow_policy::delay;
  auto w = writer();
  must(w.meet(*to));
  write();
  w.feel(1'000'000'000);
  CAF_CHECK_EQUAL(must(w.ship(*to, entries)).left_out, 0u);
}

CAF_TEST(an entry that broke off is ended whatever was left out of it) {
  server.set_max_message_bytes(400); // the block is several messages
  for (std::size_t broken_after = 1; broken_after < 12; ++broken_after) {
    write();
    auto w = writer();
    must(w.meet(*to));
    w.feel(broken_after % 2 == 0 ? 101 : 0);
    server.break_after(broken_after);
    if (w.ship(*to, entries)) continue; // it was shorter than that
    auto again = writer(broken_after % 3 == 0 ? framing::block : framing::event);
    must(again.meet(*to));
    again.feel(0);
    must(again.ship(*to, entries));
    CAF_CHECK_EQUAL(whole_entries(), entries);
  }
  CAF_CHECK(entries > 5);
}

CAF_TEST(what another has begun is told from the own) {
  write();
  for (auto& [type, body] : {std::pair{"bar", "{}"}, std::pair{"block", "x"}}) {
    must(to->open_stream("s"));
    broker_message alien{{1, 0}, false, 1, type, body};
    must(to->publish("s", std::nullopt, std::span{&alien, 1}));
    auto w = writer();
    CAF_CHECK(code_of(w.meet(*to)) == errc::conflict);
    must(to->remove_stream("s"));
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
