// A NATS of the tests' own, with JetStream, and a plain connection to it for what no driver does.
#pragma once

#include "tests/runtime/broker_language.hpp"
#include "tests/runtime/broker_process.hpp"

#include <nats/nats.h>

namespace finstream::test {

class nats_server {
public:
  explicit nats_server(std::vector<std::string> settings = {})
    : process{[settings](int port, const std::string& directory) {
                std::vector<std::string> words{"nats-server",        "-a",  "127.0.0.1", "-p",
                                               std::to_string(port), "-js", "-sd",       directory};
                words.insert(words.end(), settings.begin(), settings.end());
                return words;
              },
              "nats-server"} {}

  void restart() {
    process.kill();
    process.start();
  }

  template <class Work> void with_jetstream(Work work) const {
    natsConnection* connection = nullptr;
    jsCtx* context = nullptr;
    CAF_REQUIRE(natsConnection_ConnectTo(&connection, url().c_str()) == NATS_OK);
    CAF_REQUIRE(natsConnection_JetStream(&context, connection, nullptr) == NATS_OK);
    work(connection, context);
    jsCtx_Destroy(context);
    natsConnection_Destroy(connection);
  }

  std::string url() const { return "nats://127.0.0.1:" + std::to_string(process.port()); }

  broker_process process;
};

} // namespace finstream::test
