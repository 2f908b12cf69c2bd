// Faults on purpose, for the simulator's proof that it finds them (tests/simulation). Where FINSTREAM_PLANTED_FAULTS is
// not defined, as in everything that is shipped, none is there and nothing is compiled of it.
#pragma once

#include <cstdint>

namespace finstream {

enum class fault : std::uint8_t {
  none,
  confirms_before_writing,
  forgets_last_part,
  saves_resume_point_first,
  resume_point_without_all,
  takes_results_twice,
  snapshot_at_wrong_place,
  outputs_without_position,
  memory_is_not_recovered,
  clock_goes_back,
  late_event_is_forgotten,
  retries_blindly,
  sets_aside_the_next,
  rules_change_is_forgotten,
  row_is_forgotten,
  stage_begins_empty,
  parts_are_not_sent_again,
  silence_is_taken_for_yes,
  buffer_is_trimmed_early,
  begun_entry_is_not_given_up,
  catches_up_one_too_far,
  outputs_go_first,
  full_buffer_takes_more,
  broker_goes_first,
  forgotten_is_not_sent_again,
  rest_is_taken_for_the_end,
};

#ifdef FINSTREAM_PLANTED_FAULTS
inline namespace with_faults {
bool planted(fault which);
}
#else
constexpr bool planted(fault) { return false; }
#endif

} // namespace finstream
