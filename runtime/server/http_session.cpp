// One HTTP connection: requests one after another, each answered by the server's owner from whatever thread it likes,
// until the peer leaves, misbehaves, or becomes a WebSocket. Beast parses, writes, and does the WebSocket handshake.
//
//   reading -> handling -> writing -> reading ... -> draining -> gone
#include "messages/codec/json.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/server/request_target.hpp"
#include "runtime/server/server_core.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>

namespace finstream {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t max_header_bytes = 8 * 1024;
constexpr std::size_t max_buffer_bytes = 16 * 1024;
constexpr std::size_t drain_bytes = 4 * 1024; // thrown away per read

using upgrade_stream = boost::beast::websocket::stream<tcp::socket&, false>;

class http_session final : public http_connection, public std::enable_shared_from_this<http_session> {
public:
  http_session(std::shared_ptr<server_core> core, tcp::socket socket)
    : core_{std::move(core)}, socket_{std::move(socket)}, buffer_{max_buffer_bytes} {}

  void read();
  void sweep(nanoseconds now) override;
  void finish_soon() override;
  void abort() override { end(); }

private:
  enum class phase : std::uint8_t { reading, handling, writing, upgrading, draining, gone };

  void on_read(error_code error);
  void handle();
  void pass_on(request_target target);
  void answer(std::uint64_t number, http_response x);
  void refuse(int status, errc code, std::string_view detail);
  void write(http_response x);
  void upgrade();
  void on_upgraded(error_code error);
  void drain();
  void end();
  void enter(phase next, nanoseconds time_limit);

  std::shared_ptr<server_core> core_;
  tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::unique_ptr<upgrade_stream> upgrade_;
  phase phase_ = phase::reading;
  bool keep_alive_ = false;
  bool timed_out_ = false;
  std::uint64_t request_number_ = 0; // an answer to another request than this is too late
  nanoseconds deadline_ = 0;         // of the phase
};

void http_session::enter(phase next, nanoseconds time_limit) {
  phase_ = next;
  deadline_ = system_clock().monotonic() + time_limit;
}

void http_session::read() {
  enter(phase::reading, core_->options.request_deadline);
  parser_.emplace();
  parser_->header_limit(max_header_bytes);
  parser_->body_limit(core_->options.max_body_bytes);
  http::async_read(socket_, buffer_, *parser_,
                   [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
}

void http_session::on_read(error_code error) {
  if (phase_ != phase::reading) return;
  if (!error) return handle();
  if (timed_out_) return refuse(408, errc::timed_out, "the request did not come in whole within the deadline");
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refuse(431, errc::bad_command, fmt::format("the header is over {} bytes", max_header_bytes));
  if (error == http::error::body_limit)
    return refuse(413, errc::bad_command, fmt::format("the body is over {} bytes", core_->options.max_body_bytes));
  bool peer_left = error == http::error::end_of_stream || error == http::error::partial_message;
  if (peer_left || error.category() != make_error_code(http::error::end_of_stream).category()) return end();
  refuse(400, errc::bad_command, fmt::format("not an HTTP request: {}", error.message()));
}

void http_session::handle() {
  const auto& request = parser_->get();
  keep_alive_ = request.keep_alive() && !core_->stopping;
  auto target = parse_request_target({request.target().data(), request.target().size()});
  if (!target) return refuse(400, target.error().code, target.error().message);
  if (target->path == core_->options.websocket_path) {
    if (!boost::beast::websocket::is_upgrade(request))
      return refuse(426, errc::bad_command, "this path speaks WebSocket: ask for an upgrade");
    return upgrade();
  }
  switch (request.method()) {
  case http::verb::get:
  case http::verb::head:
  case http::verb::post: return pass_on(std::move(*target));
  default: return refuse(405, errc::bad_command, "only GET, HEAD and POST are understood");
  }
}

void http_session::pass_on(request_target target) {
  enter(phase::handling, core_->options.request_deadline);
  auto& request = parser_->get();
  // Who answers need not know HEAD: it is a GET whose answer loses its body in write().
  http_request said{request.method() == http::verb::post ? "POST" : "GET", std::move(target.path),
                    std::move(target.query), std::move(request.body()),
                    std::string{request[http::field::content_type]}};
  // The session may be gone when the answer comes, and the server too.
  auto respond_later = [core = core_, self = weak_from_this(), number = ++request_number_](http_response x) {
    core->run_soon([self, number, x = std::move(x)]() mutable {
      if (auto alive = self.lock()) alive->answer(number, std::move(x));
    });
  };
  if (!core_->events.on_request)
    answer(request_number_, problem(404, errc::not_found, "nothing is served here"));
  else if (!core_->notify(core_->events.on_request, std::move(said), std::move(respond_later)))
    answer(request_number_, problem(500, errc::none, "the request could not be handled, see the log"));
}

void http_session::answer(std::uint64_t number, http_response x) {
  if (phase_ == phase::handling && number == request_number_) write(std::move(x));
}

// After a refusal the connection ends: where the next request would begin is not certain.
void http_session::refuse(int status, errc code, std::string_view detail) {
  keep_alive_ = false;
  write(problem(status, code, detail));
}

void http_session::write(http_response x) {
  ++request_number_;
  enter(phase::writing, core_->options.request_deadline);
  auto& request = parser_->get();
  auto status = x.status >= 200 && x.status <= 599 ? x.status : 500;
  response_ = {};
  response_.version(request.version() == 10 ? 10 : 11);
  response_.result(static_cast<unsigned>(status));
  response_.set(http::field::content_type, x.content_type);
  if (status == 405) response_.set(http::field::allow, "GET, HEAD, POST");
  if (status == 426) response_.set(http::field::upgrade, "websocket");
  keep_alive_ = keep_alive_ && !core_->stopping;
  response_.keep_alive(keep_alive_);
  response_.content_length(x.body.size());
  if (request.method() != http::verb::head) response_.body() = std::move(x.body);
  http::async_write(socket_, response_, [self = shared_from_this()](error_code error, std::size_t) {
    if (self->phase_ != phase::writing) return;
    if (error) return self->end();
    self->response_ = {};
    if (self->keep_alive_ && !self->core_->stopping) return self->read();
    error_code gone_already;
    self->socket_.shutdown(tcp::socket::shutdown_send, gone_already);
    self->enter(phase::draining, self->core_->options.close_deadline);
    self->drain();
  });
}

// A socket that is closed with unread bytes resets the connection, and the peer may lose the answer. So they are read.
void http_session::drain() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(drain_bytes), [self = shared_from_this()](error_code error, std::size_t) {
    if (self->phase_ != phase::draining) return;
    if (error) return self->end();
    self->drain();
  });
}

void http_session::upgrade() {
  if (core_->stopping || core_->is_full()) {
    add(core_->counts.refused, 1);
    return refuse(503, core_->stopping ? errc::stopped : errc::overloaded,
                  "no room for another connection, come back later");
  }
  enter(phase::upgrading, core_->options.request_deadline);
  ++core_->upgrades_under_way;
  const auto& request = parser_->get();
  const auto& known = core_->options.subprotocol;
  bool offered = false;
  auto lines = request.equal_range(http::field::sec_websocket_protocol);
  for (auto i = lines.first; i != lines.second; ++i) offered = offered || http::token_list{i->value()}.exists(known);
  upgrade_ = std::make_unique<upgrade_stream>(socket_);
  upgrade_->set_option(
    boost::beast::websocket::stream_base::decorator{[offered, known](boost::beast::websocket::response_type& response) {
      if (offered) response.set(http::field::sec_websocket_protocol, known);
    }});
  upgrade_->async_accept(request, [self = shared_from_this()](error_code error) { self->on_upgraded(error); });
}

void http_session::on_upgraded(error_code error) {
  --core_->upgrades_under_way;
  upgrade_.reset();
  if (phase_ != phase::upgrading) return;
  if (error || core_->stopping) return end(); // Beast has told the peer what was wrong with its handshake
  phase_ = phase::gone;
  auto self = shared_from_this();
  core_->remove(*this);
  // The peer may have sent frames right behind its request.
  auto early = buffer_.data();
  core_->adopt(std::move(socket_), {static_cast<const char*>(early.data()), early.size()});
}

void http_session::sweep(nanoseconds now) {
  if (now < deadline_) return;
  switch (phase_) {
  case phase::reading:
    // A keep-alive connection that is merely silent is closed without a word.
    if (!parser_->got_some() && buffer_.size() == 0) return end();
    timed_out_ = true;
    socket_.cancel();
    return;
  case phase::handling: return write(problem(503, errc::timed_out, "no answer within the deadline, try again"));
  default: return end();
  }
}

void http_session::finish_soon() {
  keep_alive_ = false;
  if (phase_ == phase::reading) end();
}

void http_session::end() {
  if (std::exchange(phase_, phase::gone) == phase::gone) return;
  error_code ignored;
  socket_.close(ignored);
  core_->remove(*this);
}

} // namespace

http_response problem(int status, errc code, std::string_view detail) {
  auto title = http::obsolete_reason(static_cast<http::status>(status));
  std::string body = fmt::format(
    R"({{"type":"about:blank","title":"{}","status":{},"code":{},"name":"{}","temporary":{},"detail":)",
    std::string_view{title.data(), title.size()}, status, static_cast<int>(code), to_string(code), is_temporary(code));
  append_json_string(body, detail);
  body += '}';
  return {status, "application/problem+json", std::move(body)};
}

http_connection_ptr start_http_session(std::shared_ptr<server_core> core, tcp::socket socket) {
  auto session = std::make_shared<http_session>(std::move(core), std::move(socket));
  session->read();
  return session;
}

} // namespace finstream
