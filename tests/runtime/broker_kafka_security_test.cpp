// Who gets into a Kafka that is not open to everybody, and what is said to who does not. It is librdkafka's mock
// cluster, which lets in everybody, behind a door of ours: tests/support/kafka_door.py.
#define CAF_SUITE broker_kafka_security

#include "tests/runtime/broker_kafka_server.hpp"
#include "tests/runtime/broker_process.hpp"
#include "tests/runtime/broker_security_files.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string stream = "finstream.events";
const std::string right = "node:pass%40word@", wrong = "node:guessed@";

class kafka_door {
public:
  using words = std::vector<std::string>;

  kafka_door(const std::string& to, words more)
    : process_{[to, more, added = added_](int port, const std::string&) {
                 words out{"/usr/bin/python3",
                           FINSTREAM_SOURCE_DIR "/tests/support/kafka_door.py",
                           "--port",
                           std::to_string(port),
                           "--to",
                           to};
                 out.insert(out.end(), more.begin(), more.end());
                 out.insert(out.end(), added->begin(), added->end());
                 return out;
               },
               "python3"} {}
  std::string server() const { return "localhost:" + std::to_string(process_.port()); }
  // On the same port.
  void ask_for(words more) {
    *added_ = std::move(more);
    process_.kill();
    process_.start();
  }

private:
  std::shared_ptr<words> added_ = std::make_shared<words>();
  broker_process process_;
};

struct guarded_kafka {
  security_files files;
  kafka_mock server;

  kafka_door::words certificate(const std::string& name) {
    return {"--certificate", files.path(name + ".pem"), "--key", files.path(name + ".key")};
  }
  static kafka_door::words asking(const std::string& mechanism) {
    return {"--mechanism", mechanism, "--user", "node", "--password", "pass@word"};
  }
  kafka_door make_door(std::initializer_list<kafka_door::words> parts) {
    kafka_door::words all;
    for (auto& x : parts) all.insert(all.end(), x.begin(), x.end());
    return {server.url(), all};
  }
  std::unique_ptr<broker> open(const std::string& url, broker_security with) {
    broker_options options;
    options.url = url;
    options.security = std::move(with);
    options.connect_timeout_ms = options.request_timeout_ms = 3000; // a refusal is tried again until then
    options.stale_after_ms = 6000;
    return server.open(options);
  }
  expected<void> enter(const std::string& url, broker_security with) {
    return open(url, std::move(with))->open_stream(stream);
  }
  void check_refused(const std::string& url, broker_security with) {
    auto refused = enter(url, std::move(with));
    CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
    for (auto* secret : {"pass@word", "pass%40word", "guessed"})
      CAF_CHECK(message_of(refused).find(secret) == std::string::npos);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(broker_kafka_security_tests, guarded_kafka)

CAF_TEST(everything goes over tls for who trusts the server) {
  auto door = make_door({certificate("broker")});
  auto client = open("tls://" + door.server(), files.trusting("ca.pem"));
  must(client->open_stream(stream));
  must(client->publish(stream, {}, transactions(1, 3)));
  CAF_CHECK_EQUAL(text(must(client->read(stream, {}, 9, no_limit))), "1 2 3");
  must(client->ensure_group(stream, "g"));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 9, 10 * second))), "1 2 3");
  must(client->acknowledge(stream, "g", numbers(1, 3)));
  check_refused("tls://" + door.server(), {});
  check_refused("tls://" + door.server(), files.trusting("other_ca.pem"));
}

CAF_TEST(a server of another name is not it) {
  auto door = make_door({certificate("elsewhere")});
  check_refused("tls://" + door.server(), files.trusting("ca.pem"));
}

CAF_TEST(a server may ask for a certificate) {
  auto door = make_door({certificate("broker"), {"--client-ca", files.path("ca.pem")}});
  must(enter("tls://" + door.server(), files.shown()));
  auto refused = enter("tls://" + door.server(), files.trusting("ca.pem"));
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("certificate required") != std::string::npos);
}

CAF_TEST(tls where there is none and none where there is some are no way in) {
  auto door = make_door({certificate("broker")});
  CAF_CHECK(!enter("tls://" + server.url(), files.trusting("ca.pem")));
  CAF_CHECK(!enter(door.server(), {}));
}

CAF_TEST(a user shows a password in each of the ways) {
  std::uint64_t messages = 0;
  for (auto& [name, mechanism] : {std::pair{"PLAIN", sasl_mechanism::plain},
                                  {"SCRAM-SHA-256", sasl_mechanism::scram_sha_256},
                                  {"SCRAM-SHA-512", sasl_mechanism::scram_sha_512}}) {
    CAF_MESSAGE(name);
    auto door = make_door({certificate("broker"), asking(name)});
    auto security = files.trusting("ca.pem");
    security.mechanism = mechanism;
    auto client = open("tls://" + right + door.server(), security);
    must(client->open_stream(stream));
    auto last = must(client->ends(stream)).last;
    must(client->publish(stream, last, transactions(messages + 1, messages + 2)));
    CAF_CHECK_EQUAL(must(client->ends(stream)).messages, messages += 2);
    check_refused("tls://" + wrong + door.server(), security);
  }
}

CAF_TEST(a password may go without tls and is not shown in another way than is said) {
  auto door = make_door({asking("SCRAM-SHA-512")});
  must(enter(right + door.server(), {}));
  broker_security in_clear;
  in_clear.mechanism = sasl_mechanism::plain;
  check_refused(right + door.server(), in_clear);
}

CAF_TEST(files are read anew with each connection that is made) {
  auto renewed = files.path("renewed.pem");
  auto trust = [&](const char* name) {
    std::filesystem::copy_file(files.path(name), renewed, std::filesystem::copy_options::overwrite_existing);
  };
  auto door = make_door({certificate("broker")});
  trust("other_ca.pem");
  auto client = open("tls://" + door.server(), files.trusting("renewed.pem"));
  CAF_CHECK_EQUAL(code_of(client->open_stream(stream)), errc::config_invalid);
  trust("ca.pem");
  must(client->open_stream(stream));
  must(client->publish(stream, {}, transactions(1, 3)));
  must(client->ensure_group(stream, "g"));
  trust("other_ca.pem"); // a consumer of a group has a connection of its own
  CAF_CHECK_EQUAL(code_of(client->take(stream, "g", "c", 9, 0)), errc::config_invalid);
  trust("ca.pem");
  must(client->open_stream(stream));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 9, 20 * second))), "1 2 3");
}

CAF_TEST(a consumer that was let in once is let in again with renewed files) {
  auto take_on = [&](const char* whose) {
    for (auto* kind : {".pem", ".key"})
      std::filesystem::copy_file(files.path(whose + std::string{kind}), files.path("renewed" + std::string{kind}),
                                 std::filesystem::copy_options::overwrite_existing);
  };
  take_on("other_node");
  auto security = files.trusting("ca.pem");
  security.certificate_file = files.path("renewed.pem");
  security.key_file = files.path("renewed.key");
  auto door = std::make_unique<kafka_door>(server.url(), certificate("broker")); // which asks for none
  auto client = open("tls://" + door->server(), security);
  must(client->open_stream(stream));
  must(client->ensure_group(stream, "g"));
  must(client->publish(stream, {}, transactions(1, 1)));
  CAF_CHECK_EQUAL(text(must(client->take(stream, "g", "c", 9, 20 * second))), "1");
  must(client->acknowledge(stream, "g", numbers(1, 1)));
  door->ask_for({"--client-ca", files.path("ca.pem")});
  CAF_CHECK_EQUAL(code_of(client->ends(stream)), errc::config_invalid);
  take_on("node");
  auto until = system_clock().monotonic() + 120 * second;
  while (!client->publish(stream, message_number{1, 0}, transactions(2, 2)))
    CAF_REQUIRE(system_clock().monotonic() < until);
  for (std::string taken; taken != "2";) {
    auto some = client->take(stream, "g", "c", 9, second);
    if (some) taken = text(*some);
    CAF_REQUIRE(system_clock().monotonic() < until);
  }
}

CAF_TEST(brokers that are just ending are away and have refused nobody) {
  auto door = std::make_unique<kafka_door>(server.url(), certificate("broker"));
  auto client = open("tls://" + door->server(), files.trusting("ca.pem"));
  must(client->open_stream(stream));
  door.reset();
  CAF_CHECK_EQUAL(code_of(client->ends(stream)), errc::unreachable);
}

CAF_TEST(files that cannot be read are named) {
  auto refused = enter("tls://localhost:1", files.trusting("nothing.pem"));
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("nothing.pem") != std::string::npos);
  auto other_key = files.shown();
  other_key.key_file = files.path("broker.key");
  CAF_CHECK_EQUAL(code_of(enter("tls://localhost:1", other_key)), errc::config_invalid);
}

CAF_TEST_FIXTURE_SCOPE_END()
