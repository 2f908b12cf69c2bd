// An event_batch <-> the bytes of a log record, packed: each name once, differences instead of values, as many bytes as
// needed (docs/formats.md has the layout and a worked example). About 20 bytes an event.
#pragma once

#include "messages/event/market_event.hpp"

#include <string>
#include <string_view>

namespace finstream {

std::string encode_events(const event_batch& batch);
// Any bytes are safe to decode. Errors: corrupt_record.
expected<std::shared_ptr<event_batch>> decode_events(std::string_view bytes);

} // namespace finstream
