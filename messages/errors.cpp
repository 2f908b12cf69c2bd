#include "messages/errors.hpp"

#include <cstdio>
#include <cstdlib>

namespace finstream {

std::string_view to_string(errc code) {
  switch (code) {
  case errc::none: return "none";
  case errc::malformed_line: return "malformed_line";
  case errc::missing_field: return "missing_field";
  case errc::bad_field: return "bad_field";
  case errc::precision: return "precision";
  case errc::overflow: return "overflow";
  case errc::line_too_long: return "line_too_long";
  case errc::not_utf8: return "not_utf8";
  case errc::future: return "future";
  case errc::late: return "late";
  case errc::corrupt_record: return "corrupt_record";
  case errc::not_found: return "not_found";
  case errc::invalid_argument: return "invalid_argument";
  case errc::io_failure: return "io_failure";
  case errc::disk_full: return "disk_full";
  case errc::locked: return "locked";
  case errc::config_invalid: return "config_invalid";
  case errc::timed_out: return "timed_out";
  case errc::overloaded: return "overloaded";
  case errc::stopped: return "stopped";
  case errc::start_failed: return "start_failed";
  case errc::trimmed: return "trimmed";
  case errc::bad_command: return "bad_command";
  case errc::incompatible: return "incompatible";
  case errc::poison: return "poison";
  case errc::undeliverable: return "undeliverable";
  case errc::unreachable: return "unreachable";
  case errc::conflict: return "conflict";
  case errc::not_acknowledged: return "not_acknowledged";
  }
  return "unknown";
}

std::string_view explain(errc code) {
  switch (code) {
  case errc::none: return "Nothing is wrong.";
  case errc::malformed_line: return "The feed printed a line that is not one JSON object; its author must fix it.";
  case errc::missing_field: return "The feed left out a field that every event needs; its author must add it.";
  case errc::bad_field: return "A field has the wrong type or an impossible value; the feed's author must fix it.";
  case errc::precision:
    return "A number has more than 9 decimals; the feed must round it, or the config must allow rounding.";
  case errc::overflow:
    return "A number is outside what 64 bits of 1e-9 can hold; the feed's author must check its units.";
  case errc::line_too_long: return "The feed printed a line over the limit; its author must split it.";
  case errc::not_utf8: return "The feed printed bytes that are not UTF-8; its author must encode them.";
  case errc::future: return "src_ts is too far ahead of this machine's clock; the operator must check both clocks.";
  case errc::late: return "The event came after its bar was closed; raise allow_late_ms or look at the feed's delay.";
  case errc::corrupt_record:
    return "A record in the log is not what was written; the operator must check the disk and restore.";
  case errc::not_found: return "There is no such thing; the caller must check the name.";
  case errc::invalid_argument: return "The request makes no sense as it stands; the caller must change it.";
  case errc::io_failure: return "The disk, a pipe or a socket failed; the operator must look at the machine.";
  case errc::disk_full: return "The data directory has no room left; the operator must free space.";
  case errc::locked: return "Another process uses this data directory; stop it, or give this node its own.";
  case errc::config_invalid: return "The config file is not valid; the operator must fix the line named.";
  case errc::timed_out: return "No answer came within the deadline; try again, then look at the load.";
  case errc::overloaded: return "A limit is reached; try again later.";
  case errc::stopped: return "The node is stopping; try again when it is back.";
  case errc::start_failed: return "A process could not be started; the operator must check its command.";
  case errc::trimmed: return "This position is older than what the log keeps; start from its head.";
  case errc::bad_command: return "The client sent a command that is not understood; its author must read the protocol.";
  case errc::incompatible: return "The data directory was written with other settings; use those, or a new directory.";
  case errc::poison: return "A stage crashed at this record again and again; please report it, with the letter.";
  case errc::undeliverable: return "A store refuses this row for what is in it; look at the store's own rules.";
  case errc::unreachable: return "The broker cannot be reached or does not answer; see that it runs, and the network.";
  case errc::conflict: return "Another writer has been here; find out who, and let one of them write.";
  case errc::not_acknowledged:
    return "A consumer took this message as often as it may and never acknowledged it; look at that consumer.";
  }
  return "";
}

bool is_temporary(errc code) {
  return code == errc::io_failure || code == errc::disk_full || code == errc::locked || code == errc::timed_out ||
         code == errc::overloaded || code == errc::stopped || code == errc::unreachable;
}

std::string error_list() {
  std::string out;
  for (int i = 0; i <= static_cast<int>(errc::not_acknowledged); ++i) {
    auto code = static_cast<errc>(i);
    if (explain(code).empty()) continue; // not given out
    out += std::to_string(i) + " " + std::string{to_string(code)} + (is_temporary(code) ? " temporary " : " lasting ") +
           std::string{explain(code)} + "\n";
  }
  return out;
}

void stop_on_bug(const char* what) {
  std::fprintf(stderr, "finstream: a bug of ours, please report it: %s\n", what);
  std::abort();
}

} // namespace finstream
