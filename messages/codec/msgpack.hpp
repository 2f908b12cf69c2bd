// Messages <-> msgpack, from their field lists: an array of the fields in order. Fields are only ever added at the end;
// a reader takes what it knows and leaves what it does not, and a missing field keeps its default.
#pragma once

#include "messages/command/set_aside.hpp"
#include "messages/event/answers.hpp"
#include "messages/event/dead_letter.hpp"
#include "messages/event/derived.hpp"
#include "messages/event/source_event.hpp"
#include "messages/event/window_name.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace finstream {

std::string to_msgpack(const bar& x);
std::string to_msgpack(const dead_letter& x);
std::string to_msgpack(const source_event& x);
std::string to_msgpack(const feature_vector& x);
std::string to_msgpack(const signal& x);
std::string to_msgpack(const stage_rules& x);
std::string to_msgpack(const answers& x);
std::string to_msgpack(const set_aside_request& x);
std::string to_msgpack(const taken_windows& x);

// Any bytes are safe to decode. Errors: corrupt_record.
expected<bar> bar_from_msgpack(std::string_view bytes);
expected<dead_letter> dead_letter_from_msgpack(std::string_view bytes);
expected<source_event> source_event_from_msgpack(std::string_view bytes);
expected<feature_vector> feature_vector_from_msgpack(std::string_view bytes);
expected<signal> signal_from_msgpack(std::string_view bytes);
expected<stage_rules> stage_rules_from_msgpack(std::string_view bytes);
expected<answers> answers_from_msgpack(std::string_view bytes);
expected<set_aside_request> set_aside_request_from_msgpack(std::string_view bytes);
expected<taken_windows> taken_windows_from_msgpack(std::string_view bytes);

// A record of a derived topic: what one step of a stage gave, in order.
std::string to_msgpack(const std::vector<derived>& xs);
expected<std::vector<derived>> derived_from_msgpack(std::string_view bytes);

} // namespace finstream
