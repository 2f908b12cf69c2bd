// One HTTP request to a node, for the command line.
#pragma once

#include "messages/errors.hpp"
#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <string>

namespace finstream {

struct http_question {
  std::string host;
  std::uint16_t port = 0;
  std::string method = "GET";
  std::string target; // "/v1/backfill?feed=csv"
  std::string body;
  std::string content_type{};         // of the body, if there is one
  nanoseconds deadline = 30 * second; // from connecting to the end of the answer
};
struct http_answer {
  int status = 0;
  std::string body;
};

// On a connection of its own. Errors: io_failure (nobody there, or gone), timed_out.
expected<http_answer> ask_http(const http_question& question);

} // namespace finstream
