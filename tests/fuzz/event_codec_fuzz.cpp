// The payloads of the log's records: any bytes are decoded or refused, and what is decoded is the same after another
// round.
#include "actors/logic/bar_stage.hpp"
#include "messages/codec/event_codec.hpp"
#include "messages/codec/msgpack.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace finstream;
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (auto batch = decode_events(bytes)) {
    auto again = decode_events(encode_events(**batch));
    if (!again || (*again)->rows.size() != (*batch)->rows.size()) __builtin_trap();
  }
  (void)derived_from_msgpack(bytes);
  (void)dead_letter_from_msgpack(bytes);
  (void)source_event_from_msgpack(bytes);
  (void)set_aside_request_from_msgpack(bytes);
  (void)taken_windows_from_msgpack(bytes);
  (void)bar_rules::load(bytes);
  (void)bar_stage::load(bytes);
  return 0;
}
