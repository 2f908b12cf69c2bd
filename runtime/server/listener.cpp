// Accepting, and the server's face to its owner. Sockets are accepted with their close-on-exec flag set, because the
// node starts other processes at any moment and none of them may hold a client's connection open.
#include "runtime/log/log.hpp"
#include "runtime/server/server_core.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <thread>

namespace finstream {

namespace {

// Sockets that may be in their HTTP phase while all of max_connections are WebSockets. Beyond that newcomers wait in
// the kernel's queue.
constexpr std::size_t http_allowance = 256;
constexpr std::size_t accepts_per_wake = 64;
// Out of descriptors or memory: the kernel would say "readable" again at once.
constexpr std::chrono::milliseconds accept_backoff{100};

expected<tcp::acceptor> open_acceptor(boost::asio::io_context& io, const std::string& address_text,
                                      std::uint16_t port) {
  boost::system::error_code error;
  auto refuse = [&](const char* what) {
    return fail(errc::io_failure, fmt::format("{} on {}:{}: {}; choose another address or port, or stop what uses it",
                                              what, address_text, port, error.message()));
  };
  auto address = boost::asio::ip::make_address(address_text, error);
  if (error) return refuse("listen");
  tcp::endpoint endpoint{address, port};
  tcp::acceptor result{io};
  result.open(endpoint.protocol(), error);
  if (error) return refuse("open a socket");
  ::fcntl(result.native_handle(), F_SETFD, FD_CLOEXEC);
  result.set_option(tcp::acceptor::reuse_address{true}, error);
  if (!error) result.bind(endpoint, error);
  if (error) return refuse("bind");
  result.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) result.non_blocking(true, error);
  if (error) return refuse("listen");
  return result;
}

class listener : public std::enable_shared_from_this<listener> {
public:
  explicit listener(std::shared_ptr<server_core> core)
    : core_{std::move(core)}, acceptor_{core_->io}, backoff_{core_->io} {}

  expected<std::uint16_t> open() {
    auto opened = open_acceptor(core_->io, core_->options.address, core_->options.port);
    if (!opened) return tl::unexpected{opened.error()};
    acceptor_ = std::move(*opened);
    boost::system::error_code error;
    auto bound = acceptor_.local_endpoint(error);
    if (error) return fail(errc::io_failure, "the port that was opened is not known: " + error.message());
    // The core lets go of these when it shuts down.
    core_->on_room = [self = shared_from_this()] { self->resume(); };
    core_->on_shutdown = [self = shared_from_this()] { self->close(); };
    wait();
    return bound.port();
  }

private:
  void wait() {
    if (waiting_ || !acceptor_.is_open()) return;
    waiting_ = true;
    acceptor_.async_wait(tcp::acceptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
      self->waiting_ = false;
      if (!error && self->acceptor_.is_open()) self->accept_some();
    });
  }

  void resume() {
    if (!std::exchange(paused_, false)) return;
    wait();
  }

  void accept_some() {
    for (std::size_t i = 0; i < accepts_per_wake; ++i) {
      if (core_->websockets.size() + core_->https.size() >= core_->options.max_connections + http_allowance) {
        paused_ = true; // until somebody leaves
        return;
      }
      auto socket = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (socket >= 0) {
        accepted(socket);
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
        return back_off(errno);
      }
    }
    wait();
  }

  void accepted(int descriptor) {
    if (std::exchange(backing_off_, false)) log::info("server", "accepting connections again");
    auto protocol = acceptor_.local_endpoint().protocol();
    tcp::socket socket{core_->io};
    boost::system::error_code error;
    socket.assign(protocol, descriptor, error);
    if (error) {
      ::close(descriptor);
      return;
    }
    socket.set_option(tcp::no_delay{true}, error);
    socket.set_option(boost::asio::socket_base::send_buffer_size{core_->options.kernel_buffer_bytes}, error);
    core_->https.add(start_http_session(core_, std::move(socket)));
  }

  void back_off(int why) {
    if (!std::exchange(backing_off_, true))
      log::warning("server", "cannot accept connections: {}; trying again every {} ms", std::strerror(why),
                   accept_backoff.count());
    backoff_.expires_after(accept_backoff);
    backoff_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (!error) self->wait();
    });
  }

  void close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    backoff_.cancel();
  }

  std::shared_ptr<server_core> core_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer backoff_;
  bool waiting_ = false;
  bool paused_ = false;
  bool backing_off_ = false;
};

class threaded_server final : public server {
public:
  threaded_server(std::shared_ptr<server_core> core, std::uint16_t port)
    : core_{std::move(core)}, port_{port}, thread_{[this] { core_->run(); }} {}

  ~threaded_server() override {
    ensure(std::this_thread::get_id() != thread_.get_id(), "server: destroyed on its own thread");
    boost::asio::post(core_->io, [this] { core_->shut_down(); });
    thread_.join();
  }

  std::uint16_t port() const override { return port_; }

  void deliver(block_ptr what, std::shared_ptr<const std::vector<connection_ptr>> to) override {
    if (what && !what->text.empty() && to && !to->empty()) core_->submit(delivery{std::move(what), std::move(to)});
  }

  void deliver(std::vector<delivery> all) override {
    std::erase_if(all, [](const delivery& x) { return !x.what || x.what->text.empty() || !x.to || x.to->empty(); });
    core_->submit(std::move(all));
  }

  void stop(nanoseconds deadline) override {
    core_->run_soon([this] { core_->stop_all(); });
    core_->wait_until_empty(deadline);
  }

  bool is_backed_up() const override { return core_->is_backed_up(); }
  server_statistics statistics() const override { return core_->statistics(); }

private:
  std::shared_ptr<server_core> core_;
  std::uint16_t port_;
  std::thread thread_;
};

} // namespace

// Asio reports some failures of set-up (no descriptors left for its own epoll) by throwing.
expected<std::unique_ptr<server>> start_server(const server_options& options, server_events events) try {
  auto core = std::make_shared<server_core>(options, std::move(events));
  auto port = std::make_shared<listener>(core)->open();
  if (!port) return tl::unexpected{port.error()};
  core->start();
  return std::make_unique<threaded_server>(std::move(core), *port);
} catch (const std::exception& e) {
  return fail(errc::io_failure, fmt::format("start the server on {}:{}: {}", options.address, options.port, e.what()));
}

expected<void> try_to_listen(const std::string& address, std::uint16_t port) try {
  boost::asio::io_context io;
  auto opened = open_acceptor(io, address, port);
  return opened ? expected<void>{} : tl::unexpected{opened.error()};
} catch (const std::exception& e) {
  return fail(errc::io_failure, fmt::format("listen on {}:{}: {}", address, port, e.what()));
}

} // namespace finstream
