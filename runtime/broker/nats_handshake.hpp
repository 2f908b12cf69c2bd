// INTERNAL to runtime/broker: a limit for the TLS handshake of NATS. Its library (3.4.1) waits for ever there, whatever
// time-out it was given, for a server that is silent.
#pragma once

namespace finstream {

// While it lives, a connection that this thread encrypts waits at most so long for each of the server's answers.
class handshake_limit {
public:
  explicit handshake_limit(int answer_ms);
  handshake_limit(const handshake_limit&) = delete;
  handshake_limit& operator=(const handshake_limit&) = delete;
  ~handshake_limit();
};

} // namespace finstream
