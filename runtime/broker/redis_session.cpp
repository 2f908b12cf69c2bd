#include "runtime/broker/redis_session.hpp"

#include "runtime/clock/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

namespace finstream {

namespace {

constexpr std::size_t receive_bytes = 256u << 10; // at a time
constexpr int oldest_version = 7;                 // XAUTOCLAIM that says what is lost, and the lag of groups

// "redis_version:7.0.15\r\n" -> "7.0.15"
std::string line_of(const redisReply& info, const std::string& name) {
  std::string_view text{info.str, info.len};
  auto at = text.find(name + ":");
  if (at == text.npos) return {};
  text.remove_prefix(at + name.size() + 1);
  return std::string{text.substr(0, text.find('\r'))};
}

struct meaning {
  const char* prefix;
  errc code;
  const char* advice;
};
// By the word an answer begins with, or the sentence where there is none.
constexpr meaning meanings[] = {
  {"OOM", errc::overloaded, "; its maxmemory is reached: trim streams or give it more"},
  {"MISCONF", errc::overloaded, "; it cannot save to its disk: look at its log"},
  {"LOADING", errc::unreachable, "; wait until it has read its data"},
  {"BUSY ", errc::unreachable, "; a script holds it up"},
  {"MASTERDOWN", errc::unreachable, ""},
  {"NOREPLICAS", errc::unreachable, "; it wants more replicas before it takes writes"},
  {"READONLY", errc::unreachable, "; this is a replica: name the primary in the url"},
  {"ERR max number of clients", errc::unreachable, "; raise its maxclients"},
  {"NOAUTH", errc::config_invalid, "; put the password in the url"},
  {"WRONGPASS", errc::config_invalid, "; correct user and password in the url"},
  {"NOPERM", errc::config_invalid, "; docs/brokers.md says what a user must be allowed to do"},
  {"ERR invalid password", errc::config_invalid, "; correct the password in the url"},
  {"ERR AUTH", errc::config_invalid, "; it wants no password: leave it out of the url"},
  {"ERR DB index", errc::config_invalid, "; correct the database in the url"},
  {"MOVED", errc::incompatible, "; a Redis Cluster is not supported: use a primary with replicas"},
  {"CROSSSLOT", errc::incompatible, "; a Redis Cluster is not supported: use a primary with replicas"},
  {"WRONGTYPE", errc::incompatible, "; something else is kept under the name of the stream: remove it or rename"},
  {"ERR unknown command", errc::incompatible, "; Redis 7.0 or newer is needed"},
  {"NOGROUP", errc::not_found, ""},
  {"UNBLOCKED", errc::not_found, ""},
  {"ERR no such key", errc::not_found, "; open the stream first"},
  {"ERR The XGROUP subcommand requires the key", errc::not_found, "; open the stream first"},
};

} // namespace

void redis_request::add(std::span<const std::string_view> words) {
  auto put = [&](char sign, std::size_t size) {
    char digits[24];
    auto end = std::to_chars(digits, digits + sizeof digits, size).ptr;
    bytes += sign;
    bytes.append(digits, end).append("\r\n");
  };
  put('*', words.size());
  for (auto x : words) {
    put('$', x.size());
    bytes.append(x).append("\r\n");
  }
  ++commands;
}

void redis_reply_deleter::operator()(redisReply* reply) const { freeReplyObject(reply); }

struct redis_session::connection {
  explicit connection(redisContext* made) : context{made} {}
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { redisFree(context); }

  redisContext* context;
  std::vector<char> buffer = std::vector<char>(receive_bytes);
};

redis_session::redis_session(redis_address address, int connect_timeout_ms, int request_timeout_ms)
  : address_{std::move(address)}, server_{"Redis at " + address_.text()}, connect_timeout_ms_{connect_timeout_ms},
    request_timeout_ms_{request_timeout_ms} {}

redis_session::~redis_session() = default;

void redis_session::begin(nanoseconds patience) {
  began_ = system_clock().monotonic();
  deadline_ = began_ + patience + request_timeout_ms_ * millisecond;
}

bool redis_session::is_late() const { return system_clock().monotonic() - began_ > (deadline_ - began_) / 2; }

expected<std::vector<redis_reply>> redis_session::exchange(const redis_request& request) {
  if (auto there = connect(); !there) return tl::unexpected{there.error()};
  std::vector<redis_reply> out;
  if (auto done = send_and_receive(request, out); !done) return tl::unexpected{done.error()};
  return out;
}

expected<std::vector<redis_reply>> redis_session::exchange(const std::vector<redis_command>& commands) {
  redis_request request;
  for (const auto& x : commands) request.add(std::vector<std::string_view>{x.begin(), x.end()});
  return exchange(request);
}

expected<std::vector<redis_reply>> redis_session::ask_all(const std::vector<redis_command>& commands) {
  auto replies = exchange(commands);
  if (!replies) return replies;
  for (std::size_t i = 0; i < replies->size(); ++i)
    if (auto sound = check(*(*replies)[i], commands[i][0]); !sound) return tl::unexpected{sound.error()};
  return replies;
}

expected<void> redis_session::check(const redisReply& reply, const std::string& what) {
  if (reply.type != REDIS_REPLY_ERROR) return {};
  std::string said{reply.str, reply.len};
  const meaning other{"", errc::incompatible, ""};
  auto found = std::ranges::find_if(meanings, [&](const meaning& x) { return said.starts_with(x.prefix); });
  const auto& means = found == std::end(meanings) ? other : *found;
  if (means.code == errc::unreachable) connection_.reset();
  return fail(means.code, what + " in " + server_ + " failed: " + said + means.advice);
}

expected<redis_reply> redis_session::ask(const redis_command& command) {
  auto replies = ask_all({command});
  if (!replies) return tl::unexpected{replies.error()};
  return std::move(replies->front());
}

expected<void> redis_session::connect() {
  if (connection_) return {};
  auto left = std::min(deadline_ - system_clock().monotonic(), connect_timeout_ms_ * millisecond);
  left = std::max(left, millisecond);
  timeval limit{static_cast<time_t>(left / second), static_cast<suseconds_t>(left % second / 1000)};
  auto* made = redisConnectWithTimeout(address_.host.c_str(), address_.port, limit);
  ensure(made != nullptr, "no memory for a connection");
  connection_ = std::make_unique<connection>(made);
  if (made->err != 0) return lost(made->errstr);
  fcntl(made->fd, F_SETFL, fcntl(made->fd, F_GETFL, 0) | O_NONBLOCK);
  redisEnableKeepAlive(made);
  if (auto sound = introduce(); !sound) {
    connection_.reset();
    return sound;
  }
  ++connects_;
  return {};
}

expected<void> redis_session::introduce() {
  std::vector<redis_command> commands;
  if (!address_.user.name.empty())
    commands.push_back({"AUTH", address_.user.name, address_.user.password});
  else if (!address_.user.password.empty())
    commands.push_back({"AUTH", address_.user.password});
  if (address_.database != "0") commands.push_back({"SELECT", address_.database});
  commands.insert(commands.end(), {{"CLIENT", "SETNAME", "finstream"}, {"CLIENT", "ID"}, {"INFO", "server"}});
  auto replies = ask_all(commands); // connected by now
  if (!replies) return tl::unexpected{replies.error()};
  const auto& info = *replies->back();
  if (auto version = line_of(info, "redis_version"); std::atoi(version.c_str()) < oldest_version)
    return fail(errc::incompatible, server_ + " has version " + version + ", and 7.0 or newer is needed");
  auto old_client = client_id_;
  auto is_same_server = run_id_ == line_of(info, "run_id");
  client_id_ = std::to_string((*replies)[replies->size() - 2]->integer);
  run_id_ = line_of(info, "run_id");
  if (old_client.empty() || !is_same_server) return {};
  auto ended = exchange({{"CLIENT", "KILL", "ID", old_client}});
  return ended ? expected<void>{} : tl::unexpected{ended.error()};
}

expected<void> redis_session::send_and_receive(const redis_request& request, std::vector<redis_reply>& out) {
  const auto& bytes = request.bytes;
  auto answers = request.commands;
  for (std::size_t sent = 0; sent < bytes.size() || out.size() < answers;) {
    bool can_send = false, can_receive = false;
    if (auto ready = wait_for_socket(sent < bytes.size(), can_send, can_receive); !ready) return ready;
    if (can_send) {
      auto n = ::send(connection_->context->fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return lost(std::strerror(errno));
      if (n > 0) sent += static_cast<std::size_t>(n);
    }
    while (can_receive) {
      auto more = receive(answers, out);
      if (!more) return tl::unexpected{more.error()};
      can_receive = *more;
    }
  }
  return {};
}

expected<void> redis_session::wait_for_socket(bool has_more_to_send, bool& can_send, bool& can_receive) {
  auto left = deadline_ - system_clock().monotonic();
  pollfd socket{connection_->context->fd, static_cast<short>(POLLIN | (has_more_to_send ? POLLOUT : 0)), 0};
  auto ready = left > 0 ? ::poll(&socket, 1, static_cast<int>(left / millisecond + 1)) : 0;
  if (ready == 0) return lost("no answer within the deadline of " + std::to_string(request_timeout_ms_) + " ms");
  if (ready < 0 && errno != EINTR) return lost(std::strerror(errno));
  can_send = ready > 0 && (socket.revents & POLLOUT) != 0;
  can_receive = ready > 0 && (socket.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  return {};
}

// Whether there may be more.
expected<bool> redis_session::receive(std::size_t answers, std::vector<redis_reply>& out) {
  auto* context = connection_->context;
  auto& buffer = connection_->buffer;
  auto n = ::recv(context->fd, buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n < 0) return lost(std::strerror(errno));
  if (n == 0) return lost("it has closed the connection");
  if (redisReaderFeed(context->reader, buffer.data(), static_cast<std::size_t>(n)) != REDIS_OK)
    return lost(context->reader->errstr);
  while (out.size() < answers) {
    void* reply = nullptr;
    if (redisReaderGetReply(context->reader, &reply) != REDIS_OK) return lost(context->reader->errstr);
    if (reply == nullptr) break;
    out.emplace_back(static_cast<redisReply*>(reply));
  }
  return static_cast<std::size_t>(n) == buffer.size();
}

tl::unexpected<failure> redis_session::lost(const std::string& why) {
  connection_.reset();
  return fail(errc::unreachable, server_ + " cannot be reached, or does not answer: " + why);
}

} // namespace finstream
