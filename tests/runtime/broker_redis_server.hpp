// A Redis of the tests' own, and a plain connection to it for what no driver does.
#pragma once

#include "tests/runtime/broker_language.hpp"
#include "tests/runtime/broker_process.hpp"

#include <hiredis/hiredis.h>

namespace finstream::test {

class redis_server {
public:
  // Nothing that was acknowledged may be gone after a kill: `appendfsync always`.
  explicit redis_server(std::vector<std::string> settings = {"--appendonly", "yes", "--appendfsync", "always"},
                        bool waits = true)
    : process{[settings](int port, const std::string& directory) {
                std::vector<std::string> words{"redis-server", "--port",    std::to_string(port),
                                               "--bind",       "127.0.0.1", "--dir",
                                               directory,      "--save",    ""};
                words.insert(words.end(), settings.begin(), settings.end());
                return words;
              },
              "redis-server"} {
    if (waits) wait_until_loaded();
  }

  void restart() {
    process.kill();
    process.start();
    wait_until_loaded();
  }

  void wait_until_loaded() const {
    while (say({"PING"}).starts_with("LOADING")) std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }

  // Its answer in words; an error is one too.
  std::string say(std::vector<std::string> command) const {
    auto* context = redisConnect("127.0.0.1", process.port());
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (auto& x : command) words.push_back(x.data()), sizes.push_back(x.size());
    auto* reply =
      static_cast<redisReply*>(redisCommandArgv(context, static_cast<int>(words.size()), words.data(), sizes.data()));
    if (reply == nullptr) CAF_FAIL("Redis does not answer: " + process.said());
    auto out = reply->type == REDIS_REPLY_INTEGER ? std::to_string(reply->integer)
               : reply->str                       ? std::string{reply->str, reply->len}
                                                  : "";
    freeReplyObject(reply);
    redisFree(context);
    return out;
  }

  std::string url() const { return "redis://127.0.0.1:" + std::to_string(process.port()); }

  broker_process process;
};

} // namespace finstream::test
