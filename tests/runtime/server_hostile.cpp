// Clients that send garbage, read nothing, or come and go: they are dealt with, and the others notice nothing.
#define CAF_SUITE server_hostile
#include "runtime/server/server.hpp"
#include "tests/runtime/server_client.hpp"
#include "tests/support/suite.hpp"

#include <algorithm>
#include <filesystem>
#include <future>
#include <random>
#include <sys/resource.h>
#include <thread>

using namespace finstream;
using namespace finstream::test;

namespace {

std::size_t open_descriptors() {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{}));
}

// One who behaves, to see that the others do him no harm.
struct witness {
  witness(server& s, owner& people) : server_{s}, client_{s.port()} {
    auto known = people.connections().size();
    client_.upgrade();
    connection_ = people.wait_for_connection(known);
  }
  bool is_served() {
    connection_->send(make_block("0"));
    auto frame = client_.read_frame();
    return frame && frame->payload == "[0]";
  }
  server& server_;
  raw_client client_;
  connection_ptr connection_;
};

} // namespace

CAF_TEST(each violation of the protocol is closed with 4520) {
  owner people;
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  std::string unmasked = "\x81\x02hi";
  for (const auto& bytes : {unmasked, masked_frame(frame_kind::binary, "x"),
                            masked_frame(frame_kind::text, std::string(64 * 1024 + 1, 'x')),
                            masked_frame(frame_kind::text, "\xFF"), masked_frame(frame_kind::continuation, "x")}) {
    raw_client client{server->port()};
    client.upgrade();
    client.send(bytes);
    CAF_CHECK(client.read_close().starts_with("4520 protocol_error: "));
  }
  CAF_CHECK_EQUAL(people.closings().size(), 5u);
  CAF_CHECK(people.texts().empty());
  CAF_CHECK(bystander.is_served());
}

CAF_TEST(random bytes in place of a request or of frames end the connection at most) {
  owner people;
  server_options options;
  options.request_deadline = 100 * millisecond;
  options.close_deadline = 100 * millisecond;
  auto server = must_start(options, people.events());
  witness bystander{*server, people};
  std::mt19937 random{7};
  for (int round = 0; round < 200; ++round) {
    raw_client client{server->port()};
    if (round % 2 == 0) client.upgrade();
    std::string bytes(1 + random() % 3000, 0);
    for (auto& c : bytes) c = static_cast<char>(random());
    client.send(bytes);
    if (round % 3 == 0) client.reset();
    if (round % 3 == 1) client.send(bytes);
  }
  CAF_CHECK(bystander.is_served());
  CAF_CHECK(eventually([&] { return server->statistics().connections == 1; }));
}

CAF_TEST(a flood of pings is answered without being hoarded) {
  owner people;
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  raw_client client{server->port()};
  client.upgrade();
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += masked_frame(frame_kind::ping, "ping " + std::to_string(i));
  std::thread reader{[&] {
    // Not every ping needs its pong, but the last does.
    for (auto frame = client.read_frame(); frame; frame = client.read_frame())
      if (frame->payload == "the last") return;
    CAF_ERROR("the last ping was not answered");
  }};
  for (int i = 0; i < 20; ++i) client.send(flood);
  client.send(masked_frame(frame_kind::ping, "the last"));
  reader.join();
  CAF_CHECK(bystander.is_served());
}

CAF_TEST(a client that does not read is warned and closed with 4008 while others go on) {
  owner people;
  server_options options;
  options.close_deadline = 600 * second; // it gets all the time it wants for the rest
  auto server = must_start(options, people.events());
  witness bystander{*server, people};
  raw_client slow{server->port(), 4096};
  slow.upgrade();
  auto slow_id = people.wait_for_connection(1)->id();
  auto both = people.everyone();
  // The bystander has each record before the next is sent, so only one of the two is slow.
  std::string record(50'000, '5');
  std::size_t sent = 0;
  for (auto frame = std::optional<received_frame>{received_frame{}}; people.closings().empty() && frame; ++sent) {
    server->deliver(make_block(record), both);
    frame = bystander.client_.read_frame();
    CAF_REQUIRE(frame && frame->payload.size() == record.size() + 2);
    CAF_REQUIRE(sent < 100'000u);
  }
  auto closings = people.closings();
  auto warnings = people.warnings();
  CAF_REQUIRE_EQUAL(closings.size(), 1u);
  CAF_CHECK_EQUAL(closings[0].id, slow_id);
  CAF_CHECK_EQUAL(closings[0].code, 4008u);
  CAF_CHECK(closings[0].reason.starts_with("slow_client: queued "));
  CAF_REQUIRE_EQUAL(warnings.size(), 1u);
  CAF_CHECK_EQUAL(warnings[0], slow_id);
  CAF_CHECK_EQUAL(server->statistics().slow_closed, 1u);
  // What it has when it reads at last: whole frames, then the close frame, then nothing.
  CAF_CHECK_EQUAL(slow.read_close(), "4008 " + closings[0].reason);
  CAF_CHECK(bystander.is_served());
}

CAF_TEST(connections of a server that has ended are passed over) {
  owner people, old_people;
  auto old_server = must_start({}, old_people.events());
  raw_client old_client{old_server->port()};
  old_client.upgrade();
  auto old_connection = old_people.wait_for_connection(0);
  old_server.reset();
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  auto both =
    std::make_shared<const std::vector<connection_ptr>>(std::vector{old_connection, people.wait_for_connection(0)});
  server->deliver(make_block("1"), both);
  auto frame = bystander.client_.read_frame();
  CAF_CHECK(frame && frame->payload == "[1]");
}

CAF_TEST(a server that is handed more than it can queue says so and says when it has room) {
  owner people;
  server_options options;
  options.max_waiting_bytes = 1000;
  auto events = people.events();
  std::promise<void> may_go_on;
  std::promise<void> room;
  events.on_text = [&](const connection_ptr& x, const std::string&) {
    may_go_on.get_future().wait(); // the server's thread is busy
    x->handled();
  };
  events.on_room = [&] { room.set_value(); };
  auto server = must_start(options, std::move(events));
  raw_client client{server->port()};
  client.upgrade();
  auto everyone = (people.wait_for_connection(0), people.everyone());
  client.send_text("hold");
  CAF_CHECK(eventually([&] {
    server->deliver(make_block(std::string(100, '1')), everyone);
    return server->is_backed_up();
  }));
  may_go_on.set_value();
  CAF_CHECK(room.get_future().wait_for(patience) == std::future_status::ready);
  CAF_CHECK(!server->is_backed_up());
}

CAF_TEST(a warning overtakes what is queued) {
  owner people;
  server_options options;
  options.max_queue_bytes = 64 << 20;
  options.warn_share = 0.1;
  auto server = must_start(options, people.events());
  raw_client slow{server->port(), 4096};
  slow.upgrade();
  auto everyone = (people.wait_for_connection(0), people.everyone());
  std::size_t sent = 0;
  for (; people.warnings().empty() && sent < 1000; ++sent) {
    server->deliver(make_block(std::string(50'000, '5')), everyone);
    // One at a time: what the server's thread has not seen yet is not queued.
    CAF_REQUIRE(eventually([&] { return server->statistics().handovers_waiting == 0; }));
  }
  CAF_REQUIRE_EQUAL(people.warnings().size(), 1u);
  std::size_t bytes_before = 0;
  auto frame = slow.read_frame();
  for (; frame && frame->payload.find("slow_warning") == std::string::npos; frame = slow.read_frame())
    bytes_before += frame->payload.size();
  CAF_REQUIRE(frame);
  // Before it came what the kernel held already and the frame that was under way, not the rest of the queue.
  CAF_CHECK(bytes_before + options.max_queue_bytes / 20 < sent * 50'000);
}

CAF_TEST(a client that says more than is heard waits and no word of it is lost) {
  owner people;
  people.confirms = false;
  server_options options;
  options.max_pending_texts = 4;
  auto server = must_start(options, people.events());
  witness bystander{*server, people};
  raw_client loud{server->port(), 4096};
  loud.upgrade();
  auto connection = people.wait_for_connection(1);
  constexpr std::size_t count = 400;
  std::thread speaker{[&] {
    for (std::size_t i = 0; i < count; ++i) loud.send_text(std::to_string(i) + std::string(60'000, '.'));
  }};
  CAF_CHECK(people.wait_for_texts(4));
  CAF_CHECK(bystander.is_served());
  // A text of 60 kB comes in one or two reads, so at most a few are heard beyond the limit.
  CAF_CHECK_LESS(people.texts().size(), 8u);
  for (std::size_t i = 0; i < count; ++i) {
    CAF_REQUIRE(people.wait_for_texts(i + 1));
    connection->handled();
  }
  speaker.join();
  auto texts = people.texts();
  CAF_REQUIRE_EQUAL(texts.size(), count);
  for (std::size_t i = 0; i < count; ++i) CAF_CHECK(texts[i].starts_with(std::to_string(i) + "."));
}

CAF_TEST(a queue that is too old is closed however short it is and the socket is reset) {
  owner people;
  server_options options;
  options.max_queue_bytes = 1 << 30;
  options.max_queue_age = 100 * millisecond;
  options.slow_close_deadline = 50 * millisecond;
  auto server = must_start(options, people.events());
  raw_client slow{server->port(), 4096};
  slow.upgrade();
  auto connection = people.wait_for_connection(0);
  for (int i = 0; i < 200; ++i) connection->send(make_block(std::string(50'000, '5')));
  CAF_CHECK(people.first_closing().starts_with("4008 slow_client: "));
  CAF_CHECK(eventually([&] { return server->statistics().connections == 0; }));
}

CAF_TEST(a client that catches up after a warning is not closed and may be warned again) {
  owner people;
  server_options options;
  options.max_queue_age = 3600 * second;
  options.max_queue_bytes = 8 << 20;
  auto server = must_start(options, people.events());
  raw_client client{server->port(), 4096};
  client.upgrade();
  auto connection = people.wait_for_connection(0);
  for (std::size_t round = 1; round <= 2; ++round) {
    std::size_t sent = 0;
    for (bool warned = false; !warned; ++sent) {
      auto before = connection->statistics();
      connection->send(make_block(std::string(50'000, '5')));
      // The server has taken it when either counter has moved.
      CAF_REQUIRE(eventually([&] {
        auto now = connection->statistics();
        return now.sent_bytes != before.sent_bytes || now.queued_bytes != before.queued_bytes;
      }));
      warned = people.warnings().size() == round || connection->statistics().queued_bytes > options.max_queue_bytes / 2;
      CAF_REQUIRE(sent < 100'000u);
    }
    CAF_REQUIRE(people.wait_for_warnings(round));
    std::size_t bytes = 0;
    while (bytes < sent * 50'001) {
      auto frame = client.read_frame();
      CAF_REQUIRE(frame.has_value());
      if (frame->kind == frame_kind::text) bytes += frame->payload.size() - 1;
    }
  }
  CAF_CHECK(people.closings().empty());
}

CAF_TEST(clients that come and go leave nothing behind) {
  owner people;
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  auto descriptors = open_descriptors();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 250; ++i) {
        raw_client client{server->port()};
        if (i % 5 != 4) client.upgrade();
        if (i % 2 == t % 2) client.reset();
      }
    });
  for (int i = 0; i < 200; ++i) {
    server->deliver(make_block("{}"), people.everyone());
  }
  for (auto& x : threads) x.join();
  CAF_CHECK(eventually([&] { return server->statistics().connections == 1; }));
  CAF_CHECK(eventually([&] { return open_descriptors() == descriptors; }));
  CAF_CHECK_EQUAL(people.connections().size(), 801u);
  CAF_CHECK(people.wait_for_closings(800));
}

CAF_TEST(a client that vanishes in the middle of a frame harms nobody) {
  owner people;
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  for (std::size_t i = 0; i < 20; ++i) {
    raw_client client{server->port(), 4096};
    client.upgrade();
    auto connection = people.wait_for_connection(1 + i);
    for (int k = 0; k < 10; ++k) connection->send(make_block(std::string(100'000, '5')));
    client.send("\x81"); // half a header of its own
    i % 2 == 0 ? client.reset() : client.leave();
  }
  CAF_CHECK(people.wait_for_closings(20));
  CAF_CHECK(eventually([&] { return server->statistics().connections == 1; }));
  CAF_CHECK(bystander.is_served());
}

CAF_TEST(a server without descriptors goes on when there are some again) {
  owner people;
  auto server = must_start({}, people.events());
  witness bystander{*server, people};
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  // As many as are open now and no more: a few clients still fit, and then nobody does, on either side.
  auto none_left = before;
  none_left.rlim_cur = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
    none_left.rlim_cur = std::max<rlim_t>(none_left.rlim_cur, std::stoul(entry.path().filename().string()) + 1);
  std::deque<raw_client> clients;
  CAF_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none_left) == 0);
  while (clients.empty() || clients.back().connected()) clients.emplace_back(server->port());
  CAF_CHECK(bystander.is_served());
  CAF_REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  clients.pop_back(); // for want of a descriptor it never was one
  for (auto& client : clients) CAF_CHECK(client.upgrade().starts_with("HTTP/1.1 101"));
  CAF_CHECK(bystander.is_served());
}
