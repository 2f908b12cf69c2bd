#include "runtime/server/stream_client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

namespace finstream {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = boost::asio::ip::tcp;

expected<void> follow_stream(const std::string& host, std::uint16_t port, const std::string& path,
                             const std::string& first_command, const std::function<bool(std::string_view)>& on_text) {
  auto where = host + ":" + std::to_string(port);
  boost::asio::io_context io;
  tcp::resolver resolver{io};
  websocket::stream<tcp::socket> socket{io};
  boost::system::error_code error;
  auto found = resolver.resolve(host, std::to_string(port), error);
  if (!error) boost::asio::connect(socket.next_layer(), found, error);
  if (error)
    return fail(errc::io_failure, "connecting to " + where + ": " + error.message() + "; does a node run there?");
  socket.read_message_max(0);
  socket.handshake(where, path, error);
  if (error) return fail(errc::io_failure, where + " does not speak WebSocket at " + path + ": " + error.message());
  socket.write(boost::asio::buffer(first_command), error);
  beast::flat_buffer buffer;
  while (!error) {
    socket.read(buffer, error);
    if (error) break;
    auto data = buffer.data();
    if (!on_text({static_cast<const char*>(data.data()), data.size()})) {
      socket.close(websocket::close_code::normal, error);
      return {};
    }
    buffer.consume(buffer.size());
  }
  auto& reason = socket.reason();
  if (error == websocket::error::closed)
    return fail(errc::io_failure, where + " closed the connection: " + std::to_string(reason.code) + " " +
                                    std::string{reason.reason.c_str()});
  return fail(errc::io_failure, "reading from " + where + ": " + error.message());
}

} // namespace finstream
