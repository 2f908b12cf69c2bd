#include "messages/codec/work_json.hpp"

#include <nlohmann/json.hpp>

namespace finstream {

std::string to_json(const work_message& what) {
  nlohmann::ordered_json out;
  out["worker"] = what.worker;
  out["partitions"] = what.partitions;
  if (!what.dead.empty()) out["dead"] = what.dead;
  if (!what.gives.empty()) out["gives"] = what.gives;
  out["holds"] = what.holds;
  if (what.leaves) out["leaves"] = true;
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

expected<work_message> parse_work_message(std::string_view text) {
  auto in = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (in.is_discarded() || !in.is_object()) return fail(errc::corrupt_record, "what a worker said is no JSON object");
  try {
    work_message out;
    out.worker = in.at("worker").get<std::string>();
    out.partitions = in.at("partitions").get<std::uint16_t>();
    out.dead = in.value("dead", out.dead);
    out.gives = in.value("gives", out.gives);
    out.holds = in.value("holds", out.holds);
    out.leaves = in.value("leaves", false);
    return out;
  } catch (const nlohmann::json::exception& e) {
    return fail(errc::corrupt_record, std::string{"what a worker said is not as it should be: "} + e.what());
  }
}

} // namespace finstream
