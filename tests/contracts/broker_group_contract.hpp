// Part of broker_contract.hpp: what holds of consumer groups.
#pragma once

#include "tests/contracts/broker_contract.hpp"

#include <thread>

CAF_TEST_FIXTURE_SCOPE(broker_group_contract, broker_contract)

CAF_TEST(a group is handed every message once in order) {
  make_group();
  make_group(); // it is there already
  publish(1, 5);
  CAF_CHECK_EQUAL(take("c", 2), "1 2");
  CAF_CHECK_EQUAL(take("c"), "3 4 5");
  CAF_CHECK_EQUAL(take(*client, "c", 10, 50 * millisecond), "");
  must(client->ensure_group(stream, "g"));
  publish(6, 6);
  CAF_CHECK_EQUAL(take("c"), "6");
}

CAF_TEST(a group begins with the first message that is kept) {
  publish(1, 4);
  make_group();
  CAF_CHECK_EQUAL(take("c"), "1 2 3 4");
}

CAF_TEST(what is taken is what was published) {
  make_group();
  broker_message message{{1, 0}, false, 4711, "bar", std::string{"\0\xff\r\n", 4}};
  must(client->publish(stream, {}, std::vector{message}));
  auto found = must(client->take(stream, "g", "c", 1, second));
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK_EQUAL(found[0].what.type, "bar");
  CAF_CHECK_EQUAL(found[0].what.log_id, 4711u);
  CAF_CHECK(!found[0].what.is_last_part);
  CAF_CHECK(found[0].what.body == message.body);
}

CAF_TEST(two groups are each handed all) {
  make_group("g");
  make_group("h");
  publish(1, 3);
  CAF_CHECK_EQUAL(take("c"), "1 2 3");
  CAF_CHECK_EQUAL(text(must(client->take(stream, "h", "c", 10, second))), "1 2 3");
}

CAF_TEST(the state of a group says how far it is) {
  make_group();
  publish(1, 10);
  CAF_CHECK_EQUAL(state_of().waiting, 10u);
  CAF_CHECK_EQUAL(text(state_of().first_needed), "1.0");
  CAF_CHECK_EQUAL(take("c", 6), "1 2 3 4 5 6");
  auto x = state_of();
  CAF_CHECK_EQUAL(x.pending, 6u);
  CAF_CHECK_EQUAL(x.waiting, 4u);
  CAF_CHECK_EQUAL(text(x.first_needed), "1.0");
  acknowledge(1, 2);
  acknowledge(5, 5);
  acknowledge(5, 5); // once more
  CAF_CHECK_EQUAL(state_of().pending, 3u);
  CAF_CHECK_EQUAL(text(state_of().first_needed), "3.0");
  acknowledge(1, 6);
  CAF_CHECK_EQUAL(text(state_of().first_needed), "7.0");
  CAF_CHECK_EQUAL(take("c"), "7 8 9 10");
  acknowledge(7, 10);
  x = state_of();
  CAF_CHECK_EQUAL(x.pending + x.waiting, 0u);
  CAF_CHECK_EQUAL(text(x.first_needed), "nothing");
  CAF_CHECK_EQUAL(x.oldest_idle, 0);
}

CAF_TEST(two consumers of a group share its messages) {
  if (!shares_by_message()) return;
  make_group();
  auto other = open();
  publish(1, 6);
  CAF_CHECK_EQUAL(take(*client, "a", 2), "1 2");
  CAF_CHECK_EQUAL(take(*other, "b", 3), "3 4 5");
  CAF_CHECK_EQUAL(take(*client, "a", 3), "6");
  CAF_CHECK_EQUAL(state_of().pending, 6u);
  must(other->acknowledge(stream, "g", numbers(3, 5)));
  CAF_CHECK_EQUAL(state_of().pending, 3u);
}

CAF_TEST(a group has no more pending than it may) {
  auto few = open(4);
  must(few->ensure_group(stream, "g")); // where the limit is the broker's own, this sets it
  publish(1, 10);
  auto other = few->capabilities().shares_by_message ? "b" : "a";
  CAF_CHECK_EQUAL(take(*few, "a", 3), "1 2 3");
  CAF_CHECK_EQUAL(take(*few, other, 3), "4");
  CAF_CHECK_EQUAL(take(*few, other, 3, 50 * millisecond), "");
  must(few->acknowledge(stream, "g", numbers(1, 2)));
  CAF_CHECK_EQUAL(take(*few, other, 3), "5 6");
}

CAF_TEST(what becomes stale is handed out again and counted) {
  make_group();
  publish(1, 4);
  CAF_CHECK_EQUAL(take("a", 3), "1 2 3");
  acknowledge(2, 2);
  become_stale();
  auto other = open();
  if (!client->capabilities().shares_by_message) {
    std::string found; // all from the first that is not acknowledged, when the group has seen who is silent
    for (int tries = 0; tries < 6 && found.empty(); ++tries) found = take_stale(*other, "b", 3);
    CAF_CHECK_EQUAL(found, "1 2 3");
    return;
  }
  CAF_CHECK_EQUAL(take_stale(*other, "b", 2), "1x2 3x2");
  must(other->acknowledge(stream, "g", numbers(1, 1)));
  become_stale();
  CAF_CHECK_EQUAL(take_stale(*client, "a", 1), "3x3");
  CAF_CHECK_EQUAL(take("a"), "4");
  CAF_CHECK_EQUAL(state_of().pending, 2u);
}

CAF_TEST(what is not stale is not handed out again) {
  make_group();
  publish(1, 2);
  CAF_CHECK_EQUAL(take("a"), "1 2");
  CAF_CHECK_EQUAL(text(must(client->claim_stale(stream, "g", "b", 10)).messages), "");
  CAF_CHECK_EQUAL(take(*client, "b", 10, 50 * millisecond), "");
}

CAF_TEST(what is kept does not become stale) {
  if (!shares_by_message()) return;
  make_group();
  publish(1, 3);
  CAF_CHECK_EQUAL(take("a"), "1 2 3");
  for (int i = 0; i < 5; ++i) {
    server.pass(stale_after_ms / 4 * millisecond);
    must(client->keep(stream, "g", "a", numbers(1, 2)));
  }
  auto other = open();
  CAF_CHECK_EQUAL(take_stale(*other, "b"), "3x2");
  CAF_CHECK_EQUAL(state_of().pending, 3u);
}

CAF_TEST(what another has by now cannot be kept) {
  if (!shares_by_message()) return;
  make_group();
  publish(1, 1);
  CAF_CHECK_EQUAL(take("a"), "1");
  become_stale();
  auto other = open();
  CAF_CHECK_EQUAL(take_stale(*other, "b"), "1x2");
  for (int i = 0; i < 5; ++i) {
    server.pass(stale_after_ms / 4 * millisecond);
    must(client->keep(stream, "g", "a", numbers(1, 1)));
  }
  CAF_CHECK_EQUAL(take_stale(*other, "b"), "1x3");
}

CAF_TEST(what is pending and no longer in the stream is lost and counted) {
  make_group();
  publish(1, 5);
  CAF_CHECK_EQUAL(take("a"), "1 2 3 4 5");
  if (client->capabilities().claims_by_itself) {
    CAF_MESSAGE("passed over: this broker hands out anew by itself, and does not say what it has lost");
    return;
  }
  server.lose_before(stream, {4, 0});
  become_stale();
  auto found = must(client->claim_stale(stream, "g", "b", 10));
  CAF_CHECK_EQUAL(text(found.messages), "4x2 5x2");
  CAF_CHECK_EQUAL(found.lost, 3u);
  CAF_CHECK_EQUAL(state_of().pending, 2u);
}

CAF_TEST(consumers that are idle and have nothing are forgotten) {
  make_group();
  if (!shares_by_message()) {
    CAF_CHECK_EQUAL(must(client->forget_idle_consumers(stream, "g", 0)), 0u);
    return;
  }
  publish(1, 3);
  CAF_CHECK_EQUAL(take("idle", 1), "1");
  CAF_CHECK_EQUAL(take("at-work", 1), "2");
  acknowledge(1, 1);
  CAF_CHECK_EQUAL(must(client->forget_idle_consumers(stream, "g", 100 * second)), 0u);
  server.pass(300 * millisecond);
  CAF_CHECK_EQUAL(take("new", 1), "3");
  acknowledge(3, 3);
  auto forgotten = must(client->forget_idle_consumers(stream, "g", 200 * millisecond));
  CAF_CHECK_EQUAL(state_of().pending, 1u);
  if (!client->capabilities().knows_consumers) {
    CAF_MESSAGE("passed over: this broker does not keep the consumers of a group by name");
    return;
  }
  CAF_CHECK_EQUAL(forgotten, 1u);
  CAF_CHECK_EQUAL(state_of().consumers, 2u);
}

CAF_TEST(a consumer waits for what is not there yet) {
  make_group();
  auto other = open();
  std::string found;
  std::thread consumer{[&] { found = text(other->take(stream, "g", "c", 10, 20 * second).value()); }};
  publish(1, 1);
  consumer.join();
  CAF_CHECK_EQUAL(found, "1");
}

CAF_TEST(what was done is counted) {
  make_group();
  publish(1, 3);
  CAF_CHECK_EQUAL(read(), "1 2 3");
  CAF_CHECK_EQUAL(take("c"), "1 2 3");
  CAF_CHECK(!client->publish(stream, {}, transactions(1, 1)));
  auto x = client->statistics();
  CAF_CHECK_EQUAL(x.connects, 1u);
  CAF_CHECK_EQUAL(x.published, 3u);
  CAF_CHECK_EQUAL(x.published_bytes, 3u);
  CAF_CHECK_EQUAL(x.read, 6u);
  CAF_CHECK_EQUAL(x.failures, 1u);
  CAF_CHECK(client->health().has_value());
}

CAF_TEST_FIXTURE_SCOPE_END()
