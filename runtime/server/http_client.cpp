#include "runtime/server/http_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>

namespace finstream {

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = boost::asio::ip::tcp;

namespace {

constexpr std::uint64_t most_answer_bytes = 64u << 20;

// Each step begins the next; the stream's own deadline ends whichever is under way.
class conversation {
public:
  explicit conversation(const http_question& question) : stream_{io_}, resolver_{io_}, question_{question} {
    request_.method_string(question.method);
    request_.target(question.target);
    request_.version(11);
    request_.set(http::field::host, question.host);
    request_.set(http::field::connection, "close");
    if (!question.body.empty()) request_.set(http::field::content_type, question.content_type);
    request_.body() = question.body;
    request_.prepare_payload();
    answer_.body_limit(most_answer_bytes);
  }

  expected<http_answer> run() {
    beast::error_code error;
    auto found = resolver_.resolve(question_.host, std::to_string(question_.port), error);
    if (error) return failed("finding", error);
    stream_.expires_after(std::chrono::nanoseconds{question_.deadline});
    stream_.async_connect(found, [this](beast::error_code e, const tcp::endpoint&) {
      if (!went_well("connecting to", e)) return;
      http::async_write(stream_, request_, [this](beast::error_code f, std::size_t) {
        if (!went_well("writing to", f)) return;
        http::async_read(stream_, buffer_, answer_,
                         [this](beast::error_code g, std::size_t) { went_well("reading from", g); });
      });
    });
    io_.run();
    if (error_) return failed(doing_, error_);
    return http_answer{static_cast<int>(answer_.get().result_int()), std::move(answer_.get().body())};
  }

private:
  bool went_well(const char* doing, beast::error_code error) {
    doing_ = doing, error_ = error;
    return !error;
  }
  tl::unexpected<failure> failed(const char* doing, beast::error_code error) const {
    return fail(error == beast::error::timeout ? errc::timed_out : errc::io_failure,
                std::string{doing} + " " + question_.host + ":" + std::to_string(question_.port) + ": " +
                  error.message());
  }

  boost::asio::io_context io_;
  beast::tcp_stream stream_;
  tcp::resolver resolver_;
  const http_question& question_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> answer_;
  beast::flat_buffer buffer_;
  const char* doing_ = "";
  beast::error_code error_;
};

} // namespace

expected<http_answer> ask_http(const http_question& question) { return conversation{question}.run(); }

} // namespace finstream
