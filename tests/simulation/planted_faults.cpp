#include "tests/simulation/planted_faults.hpp"

#include "messages/planted.hpp"

#include <algorithm>

namespace finstream {

#ifdef FINSTREAM_PLANTED_FAULTS
namespace {
constexpr const char* names[] = {"none",
                                 "confirms_before_writing",
                                 "forgets_last_part",
                                 "saves_resume_point_first",
                                 "resume_point_without_all",
                                 "takes_results_twice",
                                 "snapshot_at_wrong_place",
                                 "outputs_without_position",
                                 "memory_is_not_recovered",
                                 "clock_goes_back",
                                 "late_event_is_forgotten",
                                 "retries_blindly",
                                 "sets_aside_the_next",
                                 "rules_change_is_forgotten",
                                 "row_is_forgotten",
                                 "stage_begins_empty",
                                 "parts_are_not_sent_again",
                                 "silence_is_taken_for_yes",
                                 "buffer_is_trimmed_early",
                                 "begun_entry_is_not_given_up",
                                 "catches_up_one_too_far",
                                 "outputs_go_first",
                                 "full_buffer_takes_more",
                                 "broker_goes_first",
                                 "forgotten_is_not_sent_again",
                                 "rest_is_taken_for_the_end"};
static_assert(std::size(names) == static_cast<std::size_t>(fault::rest_is_taken_for_the_end) + 1, "each has its name");
fault the_fault = fault::none; // set before any thread is there
} // namespace

inline namespace with_faults {
bool planted(fault which) { return which == the_fault; }
} // namespace with_faults

namespace simulation {
std::vector<std::string> fault_names() { return {std::begin(names) + 1, std::end(names)}; }
bool plant(const std::string& name) {
  auto at = std::find(std::begin(names), std::end(names), name);
  if (at == std::end(names)) return false;
  the_fault = static_cast<fault>(at - std::begin(names));
  return true;
}
} // namespace simulation
#else
namespace simulation {
std::vector<std::string> fault_names() { return {}; }
bool plant(const std::string&) { return false; }
} // namespace simulation
#endif

} // namespace finstream
