#include "runtime/broker/nats_handshake.hpp"

#include "messages/errors.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace finstream {

namespace {

thread_local int limit_ms = 0; // 0: none, and connections of others are left alone

// The library makes the socket blocking for the handshake, and unblocks it afterwards: then these do nothing.
void limit_socket(const SSL* connection, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0 || limit_ms == 0) return;
  timeval limit{limit_ms / 1000, limit_ms % 1000 * 1000};
  for (auto option : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(SSL_get_fd(connection), SOL_SOCKET, option, &limit, sizeof limit);
}

// OpenSSL tells of every connection that is made, and this is the one moment at which nobody else has it yet.
void on_new_connection(void* connection, void*, CRYPTO_EX_DATA*, int, long, void*) {
  if (limit_ms != 0) SSL_set_info_callback(static_cast<SSL*>(connection), limit_socket);
}

} // namespace

handshake_limit::handshake_limit(int answer_ms) {
  static const int is_told =
    CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, on_new_connection, nullptr, nullptr);
  ensure(is_told >= 0, "OpenSSL tells of its connections");
  limit_ms = answer_ms;
}

handshake_limit::~handshake_limit() { limit_ms = 0; }

} // namespace finstream
