#include "tests/simulation/rules.hpp"

#include "actors/logic/rule_names.hpp"
#include "tests/support/rules.hpp"
#include "tests/support/world.hpp"

#include "actors/logic/feature_rules.hpp"

namespace finstream::simulation {

stage_rules rules_number(int number) {
  auto bars = test::rules_of_one_second();
  if (number % 2 == 1) bars.intervals = {second, 2 * second, 4 * second};
  if (number % 3 == 2) bars.revise_for = 3 * second;
  bars.config_hash = static_cast<std::uint64_t>(number);
  if (number % 4 == 3) return {bars.save(), {}, {}};
  feature_rules features;
  features.windows = {{"momentum", feature_kind::momentum, 0, 2}, {"vol_4s", feature_kind::vol, 4 * second, 0}};
  features.revise_for = bars.revise_for;
  rule_book book;
  book.names = rule_names(features.windows);
  book.rules = {test::rule_of("rising", "momentum > 0"), test::rule_of("falling", "momentum < 0")};
  return {bars.save(), features.save(), book.save()};
}

} // namespace finstream::simulation
