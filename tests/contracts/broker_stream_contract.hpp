// Part of broker_contract.hpp: what holds of streams.
#pragma once

#include "tests/contracts/broker_contract.hpp"

#include <thread>
#include <vector>

CAF_TEST_FIXTURE_SCOPE(broker_stream_contract, broker_contract)

CAF_TEST(an empty stream has no ends and nothing to read) {
  auto ends = must(client->ends(stream));
  CAF_CHECK(!ends.first);
  CAF_CHECK(!ends.last);
  CAF_CHECK(ends.last_is_whole);
  CAF_CHECK_EQUAL(ends.messages, 0u);
  CAF_CHECK_EQUAL(read(), "");
  CAF_CHECK(must(client->groups(stream)).empty());
}

CAF_TEST(opening a stream again does no harm) {
  publish(1, 3);
  must(client->open_stream(stream));
  CAF_CHECK_EQUAL(read(), "1 2 3");
}

CAF_TEST(several that open a new stream at the same moment all have it) {
  constexpr std::size_t count = 4;
  std::vector<std::unique_ptr<broker>> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(open());
  for (int n = 0; n < 10; ++n) {
    auto name = "finstream.test.new" + std::to_string(n);
    std::vector<expected<void>> outcomes(count);
    std::vector<std::thread> all;
    for (std::size_t i = 0; i < count; ++i) all.emplace_back([&, i] { outcomes[i] = clients[i]->open_stream(name); });
    for (auto& x : all) x.join();
    for (auto& x : outcomes) must(x);
    must(clients[0]->publish(name, {}, transactions(1, 2)));
    CAF_CHECK_EQUAL(text(must(clients[1]->read(name, {}, 10, no_limit))), "1 2");
  }
}

CAF_TEST(what is read is what was published) {
  broker_message first{{1, 0}, false, 4711, "block", std::string{"\0\xff{}\r\n", 6}};
  broker_message second{{1, 1}, true, 4711, "option_chain_snapshot", ""};
  must(client->publish(stream, {}, std::vector{first, second}));
  auto found = must(client->read(stream, {}, 10, no_limit));
  CAF_REQUIRE_EQUAL(found.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& expected = i == 0 ? first : second;
    CAF_CHECK(found[i].number == expected.number);
    CAF_CHECK_EQUAL(found[i].is_last_part, expected.is_last_part);
    CAF_CHECK_EQUAL(found[i].log_id, 4711u);
    CAF_CHECK_EQUAL(found[i].type, expected.type);
    CAF_CHECK(found[i].body == expected.body);
  }
}

CAF_TEST(numbers and logs of 64 bits are kept) {
  auto large = part(9'007'199'254'740'993u, 0, true); // no double holds it
  large.log_id = 18'446'744'073'709'551'615u;
  must(client->publish(stream, {}, std::vector{large}));
  must(client->publish(stream, large.number, std::vector{part(large.number.transaction + 1, 0, true)}));
  CAF_CHECK_EQUAL(read(), "9007199254740993 9007199254740994");
  CAF_CHECK(must(client->read(stream, {}, 1, no_limit)).at(0).log_id == large.log_id);
}

CAF_TEST(who reads at the end while another writes finds no hole there) {
  constexpr std::uint64_t all = 1500;
  std::thread writer{[&] {
    for (std::uint64_t n = 1; n <= all; ++n) publish(n, n);
  }};
  auto reader = open();
  std::optional<message_number> last;
  std::string hole;
  while (hole.empty() && last != message_number{all, 0}) {
    auto found = reader->read(stream, last, 1000, no_limit);
    if (!found)
      hole = found.error().message;
    else if (!found->empty())
      last = found->back().number;
  }
  writer.join();
  CAF_CHECK_EQUAL(hole, "");
}

CAF_TEST(messages are read in the order in which they were published) {
  publish(1, 5);
  publish(6, 1500);
  std::optional<message_number> after;
  for (std::uint64_t i = 1; i <= 1500;) {
    auto found = must(client->read(stream, after, 700, no_limit));
    CAF_REQUIRE(!found.empty());
    for (auto& x : found) {
      CAF_REQUIRE(x.number == (message_number{i, 0}));
      CAF_REQUIRE_EQUAL(x.body, std::to_string(i++));
    }
    after = found.back().number;
  }
  CAF_CHECK_EQUAL(read(after), "");
}

CAF_TEST(behind a whole transaction is behind its highest part) {
  must(
    client->publish(stream, {}, std::vector{part(1, 0, false), part(1, 1, true), part(2, 0, false), part(2, 1, true)}));
  auto highest = std::numeric_limits<std::uint32_t>::max();
  CAF_CHECK_EQUAL(read(message_number{1, highest}, 1), "2.0");
  CAF_CHECK_EQUAL(must(client->read(stream, message_number{1, highest}, 10, no_limit)).size(), 2u);
  CAF_CHECK(must(client->read(stream, message_number{2, highest}, 10, no_limit)).empty());
}

CAF_TEST(the ends know the parts of a transaction) {
  must(client->publish(stream, {}, std::vector{part(7, 0, false), part(7, 1, false)}));
  auto ends = must(client->ends(stream));
  CAF_CHECK_EQUAL(text(ends.first), "7.0");
  CAF_CHECK_EQUAL(text(ends.last), "7.1");
  CAF_CHECK(!ends.last_is_whole);
  CAF_CHECK_EQUAL(ends.log_id, 77u);
  CAF_CHECK_EQUAL(ends.messages, 2u);
  must(client->publish(stream, message_number{7, 1}, std::vector{part(7, 2, true), part(8, 0, true)}));
  CAF_CHECK_EQUAL(read(), "7.0 7.1 7.2 8");
  CAF_CHECK_EQUAL(read(message_number{7, 0}), "7.1 7.2 8");
  CAF_CHECK(must(client->ends(stream)).last_is_whole);
}

CAF_TEST(behind a number that is not the last nothing is published) {
  publish(1, 3);
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 9))) == errc::conflict);
  CAF_CHECK(code_of(client->publish(stream, message_number{4, 0}, transactions(5, 9))) == errc::conflict);
  CAF_CHECK(code_of(client->publish(stream, std::nullopt, transactions(1, 9))) == errc::conflict);
  CAF_CHECK_EQUAL(read(), "1 2 3");
  publish(4, 4);
  CAF_CHECK_EQUAL(read(), "1 2 3 4");
}

CAF_TEST(nothing comes first in an empty stream but behind nothing) {
  CAF_CHECK(code_of(client->publish(stream, message_number{4, 0}, transactions(5, 5))) == errc::conflict);
  CAF_CHECK_EQUAL(read(), "");
  must(client->publish(stream, {}, {}));
  CAF_CHECK_EQUAL(read(), "");
}

CAF_TEST(of two writers one is stopped) {
  auto other = open();
  publish(1, 2);
  must(other->publish(stream, message_number{2, 0}, transactions(3, 4)));
  CAF_CHECK(code_of(client->publish(stream, message_number{2, 0}, transactions(3, 5))) == errc::conflict);
  must(other->publish(stream, message_number{4, 0}, transactions(5, 5)));
  CAF_CHECK_EQUAL(read(), "1 2 3 4 5");
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "5.0");
}

CAF_TEST(numbers with holes are refused) {
  auto refused = [&](std::optional<message_number> after, std::vector<broker_message> messages) {
    CAF_CHECK(code_of(client->publish(stream, after, messages)) == errc::invalid_argument);
  };
  refused({}, {part(0, 0, true)});
  refused({}, {part(1, 1, true)});
  refused({}, {part(1, 0, true), part(3, 0, true)});
  refused({}, {part(1, 0, true), part(1, 1, true)});
  refused({}, {part(1, 0, false), part(2, 0, true)});
  refused({}, {part(2, 0, true), part(1, 0, true)});
  refused(message_number{4, 2}, {part(4, 4, true)});
  refused(message_number{4, 2}, {part(6, 0, true)});
  auto mixed = transactions(1, 2);
  mixed[1].log_id = 78;
  refused({}, mixed);
  CAF_CHECK_EQUAL(read(), "");
}

CAF_TEST(names of more than letters and digits and some signs are refused) {
  for (auto name : {std::string{}, std::string{"two words"}, std::string{"a>"}, std::string{"a*"}, std::string{"a/b"},
                    std::string{"a\n"}, std::string{"a\0b", 3}, std::string{"\xc3\xa9"}, std::string(201, 'x')}) {
    CAF_CHECK(code_of(client->open_stream(name)) == errc::invalid_argument);
    CAF_CHECK(code_of(client->ensure_group(stream, name)) == errc::invalid_argument);
    make_group();
    CAF_CHECK(code_of(client->take(stream, "g", name, 1, 0)) == errc::invalid_argument);
    auto message = part(1, 0, true);
    message.type = name;
    CAF_CHECK(code_of(client->publish(stream, {}, std::vector{message})) == errc::invalid_argument);
  }
  must(client->open_stream(std::string(200, 'x')));
}

CAF_TEST(streams whose names differ in a sign are two) {
  const std::string names[] = {"a.b", "a:b", "a_b", "a-b", "a_.b", "A.b"};
  for (auto& name : names) must(client->open_stream(name));
  must(client->publish(names[0], {}, transactions(1, 3)));
  for (auto& name : names)
    CAF_CHECK_EQUAL(text(must(client->read(name, {}, 10, no_limit))), name == names[0] ? "1 2 3" : "");
}

CAF_TEST(what is not there is not found) {
  for (const std::string name : {"nowhere", "finstream.nowhere"}) {
    CAF_CHECK(code_of(client->read(name, {}, 1, 1)) == errc::not_found);
    CAF_CHECK(code_of(client->ends(name)) == errc::not_found);
    CAF_CHECK(code_of(client->publish(name, {}, transactions(1, 1))) == errc::not_found);
    CAF_CHECK(code_of(client->publish(name, message_number{1, 0}, transactions(2, 2))) == errc::not_found);
    CAF_CHECK(code_of(client->groups(name)) == errc::not_found);
    CAF_CHECK(code_of(client->trim(name, {1, 0})) == errc::not_found);
    CAF_CHECK(code_of(client->ensure_group(name, "g")) == errc::not_found);
  }
  CAF_CHECK(code_of(client->take(stream, "nobody", "c", 1, 0)) == errc::not_found);
}

CAF_TEST(a removed stream begins anew) {
  if (!server_removes()) return;
  publish(1, 3);
  make_group();
  must(client->remove_stream(stream));
  must(client->remove_stream(stream)); // that is so already
  CAF_CHECK(code_of(client->publish(stream, message_number{3, 0}, transactions(4, 4))) == errc::not_found);
  must(client->open_stream(stream));
  CAF_CHECK(must(client->groups(stream)).empty());
  publish(1, 1);
  CAF_CHECK_EQUAL(read(), "1");
}

CAF_TEST(a body may be as large as the driver says and no larger) {
  auto limit = client->capabilities().max_message_bytes;
  CAF_REQUIRE(limit >= 64u << 10);
  std::string body(limit, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7919 >> 5);
  must(client->publish(stream, {}, std::vector{part(1, 0, true, body)}));
  CAF_CHECK(code_of(client->publish(stream, message_number{1, 0}, std::vector{part(2, 0, true, body + "x")})) ==
            errc::invalid_argument);
  auto found = must(client->read(stream, {}, 10, no_limit));
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK(found[0].body == body);
}

CAF_TEST(many large bodies are published at once) {
  std::vector<broker_message> messages;
  for (std::uint64_t i = 1; i <= 40; ++i)
    messages.push_back(part(i, 0, true, std::string(500'000 + i, static_cast<char>('a' + i % 26))));
  must(client->publish(stream, {}, messages));
  std::optional<message_number> after;
  for (std::uint64_t i = 1; i <= 40;)
    for (auto& x : must(client->read(stream, after, 1000, 4u << 20))) {
      CAF_REQUIRE(x.body == messages[i - 1].body);
      after = messages[i++ - 1].number;
    }
  CAF_CHECK_EQUAL(read(after), "");
}

CAF_TEST(a read stops at a limit but gives at least one) {
  std::vector<broker_message> messages;
  for (std::uint64_t i = 1; i <= 40; ++i) messages.push_back(part(i, 0, true, std::string(10'000, 'x')));
  must(client->publish(stream, {}, messages));
  CAF_CHECK_EQUAL(read({}, 3), "1 2 3");
  CAF_CHECK_EQUAL(read({}, 0), "");
  CAF_CHECK_EQUAL(read(message_number{3, 0}, 2), "4 5");
  CAF_CHECK(!read({}, 1000, 0).empty());
  auto some = must(client->read(stream, {}, 1000, 50'000)).size();
  CAF_CHECK(some >= 1u && some < 40u);
}

CAF_TEST(a trim drops what comes before and keeps the rest) {
  if (!server_removes()) return;
  publish(1, 300);
  must(client->trim(stream, {201, 0}));
  auto ends = must(client->ends(stream));
  CAF_REQUIRE(ends.first.has_value());
  CAF_CHECK(ends.first->transaction > 50 && ends.first->transaction <= 201);
  CAF_CHECK_EQUAL(text(ends.last), "300.0");
  CAF_CHECK_EQUAL(ends.messages, 301 - ends.first->transaction);
  CAF_CHECK(code_of(client->read(stream, message_number{3, 0}, 10, no_limit)) == errc::trimmed);
  CAF_CHECK(must(client->read(stream, {}, 1, no_limit)).at(0).number == *ends.first);
  CAF_CHECK_EQUAL(read(message_number{ends.first->transaction - 1, 0}, 1), std::to_string(ends.first->transaction));
  CAF_CHECK_EQUAL(read(message_number{298, 0}), "299 300");
}

CAF_TEST(after a trim of everything the last is known and is gone on from) {
  if (!server_removes()) return;
  publish(1, 10);
  must(client->trim(stream, {99, 0}));
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).last), "10.0");
  CAF_CHECK_EQUAL(must(client->ends(stream)).log_id, 77u);
  CAF_CHECK_EQUAL(read(message_number{10, 0}), "");
  CAF_CHECK(code_of(client->publish(stream, {}, transactions(1, 1))) == errc::conflict);
  publish(11, 12);
  CAF_CHECK_EQUAL(read(message_number{10, 0}), "11 12");
}

CAF_TEST(the last is known although others have removed everything) {
  if (!server_removes()) return;
  publish(1, 10);
  server.lose_before(stream, {11, 0});
  auto ends = must(client->ends(stream));
  CAF_CHECK(!ends.first);
  CAF_CHECK_EQUAL(text(ends.last), "10.0");
  CAF_CHECK_EQUAL(ends.messages, 0u);
  CAF_CHECK_EQUAL(read(), "");
  CAF_CHECK_EQUAL(read(message_number{10, 0}), "");
  CAF_CHECK(code_of(client->read(stream, message_number{9, 0}, 10, no_limit)) == errc::trimmed);
  CAF_CHECK(code_of(client->publish(stream, {}, transactions(1, 1))) == errc::conflict);
  publish(11, 11);
  CAF_CHECK_EQUAL(read(), "11");
}

CAF_TEST(a trim does not pass what a group has yet to deal with) {
  if (!server_removes()) return;
  publish(1, 300);
  make_group();
  must(client->trim(stream, {301, 0}));
  CAF_CHECK_EQUAL(text(must(client->ends(stream)).first), "1.0"); // it has taken nothing yet
  CAF_CHECK(must(client->take(stream, "g", "c", 250, second)).size() == 250u);
  acknowledge(1, 220);
  acknowledge(222, 250);
  must(client->trim(stream, {301, 0}));
  auto first = must(client->ends(stream)).first.value();
  CAF_CHECK(first.transaction > 50 && first.transaction <= 221); // 221 is pending
  CAF_CHECK_EQUAL(read(message_number{220, 0}, 2), "221 222");
}

CAF_TEST_FIXTURE_SCOPE_END()
