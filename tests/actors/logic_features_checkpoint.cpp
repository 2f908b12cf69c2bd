// A stop at any bar, and going on from the checkpoint, changes not a byte.
#define CAF_SUITE features_checkpoint

#include "tests/support/feature_random.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

CAF_TEST(stopping at every bar gives the same bytes as not stopping) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_feature_rules(random);
    if (seed % 4 == 0) rules.max_bars = 1 + random() % 8;
    auto bars = make_random_bars(random, rules.revise_for, 60).arrivals;
    feature_stage straight{rules}, stopping{rules};
    for (std::size_t i = 0; i < bars.size(); ++i) {
      if (i == bars.size() / 2) {
        auto next = random_feature_rules(random);
        straight.on_rules(next);
        stopping.on_rules(next);
      }
      auto a = bytes_of(vectors_of(straight, {bars[i]})), b = bytes_of(vectors_of(stopping, {bars[i]}));
      if (a != b) CAF_ERROR("seed " << seed << ": another output at bar " << i);
      auto saved = stopping.save();
      CAF_CHECK(saved == straight.save());
      auto loaded = feature_stage::load(saved);
      CAF_REQUIRE(loaded.has_value());
      stopping = std::move(*loaded);
      CAF_CHECK(stopping.save() == saved);
      CAF_CHECK(stopping.rules() == straight.rules());
      CAF_CHECK_EQUAL(stopping.series_count(), straight.series_count());
    }
  }
}

CAF_TEST(a checkpoint that is cut is refused) {
  std::mt19937_64 random{5};
  feature_stage stage{random_feature_rules(random)};
  vectors_of(stage, make_random_bars(random, stage.rules().revise_for, 40).arrivals);
  auto bytes = stage.save();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    if (feature_stage::load(std::string_view{bytes}.substr(0, size)))
      CAF_ERROR("the first " << size << " of " << bytes.size() << " bytes were taken");
  CAF_CHECK(!feature_stage::load(bytes + '\0').has_value());
}

CAF_TEST(a checkpoint of another version is refused as incompatible) {
  auto bytes = feature_stage{feature_rules{}}.save();
  bytes[0] = 99;
  auto loaded = feature_stage::load(bytes);
  CAF_REQUIRE(!loaded.has_value());
  CAF_CHECK(loaded.error().code == errc::incompatible);
}

CAF_TEST(a checkpoint with changed bytes is refused or is a state that goes on) {
  std::mt19937_64 random{6};
  std::size_t taken = 0;
  for (int round = 0; round < 40; ++round) {
    auto rules = random_feature_rules(random);
    feature_stage stage{rules};
    auto bars = make_random_bars(random, rules.revise_for, 40).arrivals;
    vectors_of(stage, {bars.begin(), bars.end() - 10});
    auto bytes = stage.save();
    for (int i = 0; i < 250; ++i) {
      auto changed = bytes;
      for (auto n = 1 + random() % 3; n != 0; --n) changed[random() % changed.size()] = static_cast<char>(random());
      auto loaded = feature_stage::load(changed);
      if (!loaded) {
        CAF_CHECK(loaded.error().code == errc::corrupt_record || loaded.error().code == errc::incompatible);
        continue;
      }
      ++taken;
      vectors_of(*loaded, {bars.end() - 10, bars.end()});
      CAF_CHECK(feature_stage::load(loaded->save()).has_value());
    }
  }
  CAF_CHECK(taken > 100);
}

CAF_TEST(bytes that are no checkpoint are refused) {
  std::mt19937_64 random{7};
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 4);
    if (!bytes.empty()) bytes[0] = 1;
    auto loaded = feature_stage::load(bytes);
    if (loaded) CAF_CHECK(feature_stage::load(loaded->save()).has_value());
    auto rules = feature_rules::load(bytes);
    if (rules) CAF_CHECK(rules->fault().empty());
  }
}
