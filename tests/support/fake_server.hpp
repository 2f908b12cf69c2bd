// A server without sockets: its connections keep what they are sent, and it keeps what was delivered to whom.
#pragma once

#include "runtime/server/server.hpp"

#include <string>
#include <utility>
#include <vector>

namespace finstream::test {

class fake_connection : public connection {
public:
  explicit fake_connection(std::uint64_t id) : id_{id} {}
  std::uint64_t id() const override { return id_; }
  std::string peer() const override { return "test"; }
  void send(block_ptr what) override { got.push_back(std::move(what)); }
  void close(close_code code, std::string reason) override {
    closed = std::to_string(static_cast<int>(code)) + " " + reason;
  }
  void handled() override { ++heard; }
  connection_statistics statistics() const override { return {}; }

  std::string text() const { // of all it got
    std::string out;
    for (auto& x : got) out += (out.empty() ? "" : ",") + x->text;
    return out;
  }
  std::string take() {
    auto out = text();
    got.clear();
    return out;
  }

  std::vector<block_ptr> got;
  std::string closed;
  int heard = 0; // texts that were confirmed

private:
  std::uint64_t id_;
};

class fake_server : public server {
public:
  std::uint16_t port() const override { return 1; }
  void deliver(block_ptr what, std::shared_ptr<const std::vector<connection_ptr>> to) override {
    for (auto& x : *to) x->send(what);
    delivered.push_back({std::move(what), std::move(to)});
  }
  void deliver(std::vector<delivery> all) override {
    for (auto& x : all) deliver(std::move(x.what), std::move(x.to));
  }
  void stop(nanoseconds) override {}
  bool is_backed_up() const override { return backed_up; }
  server_statistics statistics() const override { return {}; }

  std::vector<delivery> delivered;
  bool backed_up = false;
};

} // namespace finstream::test
