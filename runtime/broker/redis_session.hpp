// INTERNAL to runtime/broker: one connection to Redis; words in, answers out, and every failure a value. The broker's
// functions call begin(), and then have until its deadline for all that they ask.
//
// A connection that failed is closed, and the next call makes another. A server that was only slow may still have in
// its hands what was sent on the old one, so the first thing that the new one asks for is that the old one be ended:
// what comes after that finds everything as it will stay.
#pragma once

#include "messages/value/timestamp.hpp"
#include "runtime/broker/redis_address.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;
struct redisReply;

namespace finstream {

struct redis_reply_deleter {
  void operator()(redisReply* reply) const;
};
using redis_reply = std::unique_ptr<redisReply, redis_reply_deleter>;
using redis_command = std::vector<std::string>;

// Commands as they are sent, one behind the other.
struct redis_request {
  std::string bytes;
  std::size_t commands = 0;

  void add(std::span<const std::string_view> words);
  void add(std::initializer_list<std::string_view> words) { add(std::span{words.begin(), words.size()}); }
};

class redis_session {
public:
  redis_session(redis_address address, int connect_timeout_ms, int request_timeout_ms);
  ~redis_session();

  // The deadline of what follows: so long as it may be `patient`, and then the time-out of a request.
  void begin(nanoseconds patience = 0);
  bool is_late() const; // less than half of it is left
  // Sends all at once, and answers what came for each, errors of the server among them. Connects if need be.
  expected<std::vector<redis_reply>> exchange(const redis_request& request);
  expected<std::vector<redis_reply>> exchange(const std::vector<redis_command>& commands);
  // One command, or several, of which none may fail.
  expected<redis_reply> ask(const redis_command& command);
  expected<std::vector<redis_reply>> ask_all(const std::vector<redis_command>& commands);

  // An error of the server's, after what was asked for. Of one that cannot do it now the connection is given up too:
  // behind the same name there may be another by the next call.
  expected<void> check(const redisReply& reply, const std::string& what);

  std::uint64_t connects() const { return connects_; }
  const std::string& server() const { return server_; } // "Redis at host:port"

private:
  expected<void> connect();
  expected<void> introduce();
  expected<void> send_and_receive(const redis_request& request, std::vector<redis_reply>& out);
  expected<void> wait_for_socket(bool has_more_to_send, bool& can_send, bool& can_receive);
  expected<bool> receive(std::size_t answers, std::vector<redis_reply>& out);
  tl::unexpected<failure> lost(const std::string& why);

  redis_address address_;
  std::string server_;
  int connect_timeout_ms_, request_timeout_ms_;
  nanoseconds began_ = 0, deadline_ = 0;
  struct connection;
  std::unique_ptr<connection> connection_;
  std::string client_id_, run_id_; // of the last connection, and of the server it was to
  std::uint64_t connects_ = 0;
};

} // namespace finstream
