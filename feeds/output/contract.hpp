// What a feed and a node have agreed on beside the events' lines: see feeds/README.md.
#pragma once

#include "messages/value/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finstream::feed {

// The exit code that says: starting this again as it is cannot help.
inline constexpr int do_not_restart = 125;

// FINSTREAM_RESUME_TOKEN, of a feed whose tokens are numbers of `what` ("event", "row"). One that is no number is said
// to be so on standard error, and is none.
std::optional<std::uint64_t> resume_token(std::string_view what);

// FINSTREAM_FEED: what the node calls this feed. `otherwise` outside a node.
std::string feed_name(std::string_view otherwise);

// The control lines, without their newline.
std::string hello_line(std::string_view feed, bool resumed);
std::string heartbeat_line(timestamp src_ts);
inline constexpr std::string_view eof_line = R"({"type":"eof"})";

} // namespace finstream::feed
