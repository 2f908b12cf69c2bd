// What a WebSocket client asks for, after its JSON has been read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finstream {

struct client_command {
  std::string action;  // hello subscribe unsubscribe ping auth resume
  std::int64_t id = 0; // the client's own, echoed
  bool has_id = false;
  std::vector<std::string> channels;
};

// The session's word to the hub.
struct subscription_change {
  std::uint64_t connection = 0;
  bool add = true;
  bool gone = false; // the connection has closed: forget it
  client_command command;
};

} // namespace finstream
