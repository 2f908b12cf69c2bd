// What a message looks like, as text ("bar{provider:str;symbol:str;...}"), and that text's hash. Peers and data
// directories are compared by it; tests/golden/schema_hashes.txt may only grow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace finstream {

std::uint64_t hash_text(std::string_view text); // XXH3, stable across machines
std::string hash_hex(std::uint64_t hash);       // 16 digits
// 32 digits: for names that must never meet, however many are made.
std::string hash_text_128_hex(std::string_view text);
// "name hash text" lines for every message of messages/event.
std::string schema_list();
std::uint64_t bar_schema_hash();
std::uint64_t feature_schema_hash();
std::uint64_t signal_schema_hash();

} // namespace finstream
