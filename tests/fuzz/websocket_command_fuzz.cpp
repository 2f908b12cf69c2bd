// A client's text frame: any bytes are read or refused, and what is read names channels that say the same when written
// again.
#include "actors/logic/subscription_table.hpp"
#include "messages/codec/command_json.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace finstream;
  std::string_view text{reinterpret_cast<const char*>(data), size};
  auto command = parse_command(text);
  if (!command) return 0;
  for (auto& channel : command->channels)
    if (auto pattern = parse_channel(channel)) {
      auto again = parse_channel(pattern->text());
      if (!again || *again != *pattern) __builtin_trap();
    }
  return 0;
}
