// Who gets into a NATS that is not open to everybody, and what is said to who does not.
#define CAF_SUITE broker_nats_security

#include "runtime/clock/clock.hpp"
#include "tests/runtime/broker_nats_server.hpp"
#include "tests/runtime/broker_security_files.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

const std::string stream = "finstream.events";

struct guarded_nats {
  security_files files;

  std::vector<std::string> with_certificate(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> out{"--tls", "--tlscert", files.path(name + ".pem"), "--tlskey",
                                 files.path(name + ".key")};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  // What becomes of a first call, whether it is let in or not.
  expected<void> enter(const nats_server& server, broker_security with, const std::string& scheme = "tls://",
                       const std::string& user = "") {
    broker_options options;
    options.url = scheme + user + "localhost:" + std::to_string(server.process.port());
    options.security = std::move(with);
    return must(open_nats_broker(options))->open_stream(stream);
  }
};

// Greets one client, and says nothing more.
class silent_server {
public:
  silent_server() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    CAF_REQUIRE(bind(socket_, address, size) == 0 && getsockname(socket_, address, &size) == 0);
    CAF_REQUIRE(listen(socket_, 1) == 0);
    thread_ = std::thread{[this] {
      std::string greeting = R"(INFO {"server_id":"x","version":"2.9.10","max_payload":1048576,"tls_required":true})"
                             "\r\n";
      client_ = accept(socket_, nullptr, nullptr);
      if (client_ >= 0) (void)!write(client_, greeting.data(), greeting.size());
    }};
  }
  ~silent_server() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_), close(client_);
  }
  int port() const { return ntohs(address_.sin_port); }

private:
  int socket_, client_ = -1;
  sockaddr_in address_{};
  std::thread thread_;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(broker_nats_security_tests, guarded_nats)

CAF_TEST(a server shows a certificate of somebody who is trusted for the name that it is called by) {
  nats_server server{with_certificate("broker")};
  must(enter(server, files.trusting("ca.pem")));
  for (auto& security : {broker_security{}, files.trusting("other_ca.pem")}) {
    auto refused = enter(server, security);
    CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
    CAF_CHECK(message_of(refused).find("certificate") != std::string::npos);
  }
  nats_server other{with_certificate("elsewhere")};
  auto refused = enter(other, files.trusting("ca.pem"));
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("elsewhere.example") != std::string::npos ||
            message_of(refused).find("mismatch") != std::string::npos);
}

CAF_TEST(what is to be secret is not said in clear) {
  nats_server open;
  auto refused = enter(open, files.trusting("ca.pem"), "tls://", "node:secret@");
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("tls://") != std::string::npos);
  CAF_CHECK(message_of(refused).find("secret") == std::string::npos);
}

CAF_TEST(a server may ask for a certificate) {
  nats_server server{with_certificate("broker", {"--tlsverify", "--tlscacert", files.path("ca.pem")})};
  must(enter(server, files.shown()));
  auto refused = enter(server, files.trusting("ca.pem"));
  CAF_CHECK(!refused);
  CAF_CHECK(message_of(refused).find("certificate") != std::string::npos);
}

CAF_TEST(a server may ask for a token) {
  nats_server server{with_certificate("broker", {"-c", files.path("accounts.conf")})};
  must(enter(server, files.credited("user.creds")));
  for (auto* name : {"stranger.creds", "nothing.creds", "ca.pem"}) {
    auto refused = enter(server, files.credited(name));
    CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
    CAF_CHECK(message_of(refused).find("SEED") == std::string::npos);
  }
  CAF_CHECK_EQUAL(code_of(enter(server, files.trusting("ca.pem"))), errc::config_invalid);
}

CAF_TEST(who may come in is let in whatever its signature begins with) {
  nats_server server{{"-c", files.path("accounts.conf")}};
  broker_security token;
  token.credentials_file = files.path("user.creds");
  for (auto i = 0; i < 1000; ++i) must(enter(server, token, "nats://")); // the library spoils about four of them
}

CAF_TEST(files that cannot be read are named) {
  nats_server server{with_certificate("broker")};
  auto no_ca = files.trusting("nothing.pem");
  auto other_key = files.shown();
  other_key.key_file = files.path("broker.key");
  auto no_key = files.shown();
  no_key.key_file = files.path("nothing.key");
  for (auto& [security, named] :
       {std::pair{no_ca, "nothing.pem"}, {other_key, "broker.key"}, {no_key, "nothing.key"}}) {
    auto refused = enter(server, security);
    CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
    CAF_CHECK(message_of(refused).find(named) != std::string::npos);
  }
}

CAF_TEST(what is not a file or not what it should be is named) {
  nats_server server{with_certificate("broker", {"-c", files.path("accounts.conf")})};
  std::string user;
  std::getline(std::ifstream{files.path("user.creds")}, user, '\0');
  auto seed = user.find("\nSU") + 1; // of a user
  std::ofstream{files.path("cut.creds")} << user.substr(0, seed + 10);
  user[seed + 8] = user[seed + 8] == 'A' ? 'B' : 'A';
  std::ofstream{files.path("other.creds")} << user;
  std::ofstream{files.path("empty.creds")};
  for (auto* name : {"cut.creds", "other.creds", "empty.creds", ""}) {
    auto refused = enter(server, files.credited(name));
    CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
    CAF_CHECK(message_of(refused).find(files.path(name)) != std::string::npos);
    CAF_CHECK(message_of(refused).find(user.substr(seed, 8)) == std::string::npos);
  }
}

CAF_TEST(a password may hold anything) {
  auto path = files.path("users.conf");
  std::ofstream{path} << R"(authorization { users = [{user: "no@de", password: "p@s,s\"w\\%:/"}] })";
  nats_server server{with_certificate("broker", {"-c", path})};
  auto refused = enter(server, files.trusting("ca.pem"), "tls://", "no%40de:guessed@");
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("guessed") == std::string::npos);
  must(enter(server, files.trusting("ca.pem"), "tls://", "no%40de:p%40s%2Cs\"w\\%25:%2F@"));
}

CAF_TEST(a token stands in the place of user and password) {
  nats_server server{with_certificate("broker", {"--auth", "t\"o@ken"})};
  must(enter(server, files.trusting("ca.pem"), "tls://", "t\"o%40ken@"));
  auto refused = enter(server, files.trusting("ca.pem"), "tls://", "guessed@");
  CAF_CHECK_EQUAL(code_of(refused), errc::config_invalid);
  CAF_CHECK(message_of(refused).find("guessed") == std::string::npos);
}

CAF_TEST(of several servers one that is there is taken) {
  nats_server server{with_certificate("broker", {"--user", "node", "--pass", "secret"})};
  auto nobody = "localhost:" + std::to_string(free_port());
  must(enter(server, files.trusting("ca.pem"), "tls://", "node:secret@" + nobody + ","));
  must(enter(server, files.trusting("ca.pem"), "tls://", "node:secret@" + nobody + ",tls://"));
}

CAF_TEST(a refusal is said also where another server is away) {
  nats_server server{with_certificate("broker", {"--user", "node", "--pass", "secret"})};
  auto here = "localhost:" + std::to_string(server.process.port());
  auto nobody = "localhost:" + std::to_string(free_port());
  for (auto& servers : {here + "," + nobody, nobody + "," + here}) {
    broker_options options;
    options.url = "tls://node:guessed@" + servers;
    options.security = files.trusting("ca.pem");
    CAF_CHECK_EQUAL(code_of(must(open_nats_broker(options))->open_stream(stream)), errc::config_invalid);
  }
}

CAF_TEST(a server that falls silent before tls is given up at the deadline) {
  silent_server server;
  broker_options options;
  options.url = "tls://127.0.0.1:" + std::to_string(server.port());
  options.security = files.trusting("ca.pem");
  options.connect_timeout_ms = 500;
  auto client = must(open_nats_broker(options));
  auto began = system_clock().monotonic();
  CAF_CHECK_EQUAL(code_of(client->open_stream(stream)), errc::unreachable);
  CAF_CHECK(system_clock().monotonic() - began < 30 * second); // it would be for ever
}

CAF_TEST(files are read anew with each connection) {
  nats_server server{with_certificate("broker")};
  auto copy = files.path("renewed.pem");
  std::filesystem::copy_file(files.path("other_ca.pem"), copy);
  broker_options options;
  options.url = "tls://localhost:" + std::to_string(server.process.port());
  options.security.ca_file = copy;
  auto client = must(open_nats_broker(options));
  CAF_CHECK(!client->open_stream(stream));
  std::filesystem::copy_file(files.path("ca.pem"), copy, std::filesystem::copy_options::overwrite_existing);
  must(client->open_stream(stream));
}

CAF_TEST_FIXTURE_SCOPE_END()
