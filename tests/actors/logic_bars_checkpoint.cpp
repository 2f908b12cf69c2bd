// A stop at any record, and going on from the checkpoint, changes not a byte.
#define CAF_SUITE bars_checkpoint

#include "tests/support/arrival.hpp"
#include "tests/support/suite.hpp"

using namespace finstream;
using namespace finstream::test;

namespace {

std::string bytes_of(const stage_output& out) {
  auto bytes = to_msgpack(out.records);
  for (auto& r : out.rejected) {
    bytes += std::string{to_string(r.code)} + " " + std::to_string(r.offset) + " " + std::to_string(r.lateness) + " ";
    bytes += r.event.provider + r.event.symbol + r.event.interval + to_string(r.event.src_ts) +
             std::to_string(r.event.seq) + "\n";
  }
  return bytes;
}

} // namespace

CAF_TEST(stopping at every record gives the same bytes as not stopping) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random{seed};
    auto rules = random_rules(random);
    if (seed % 4 == 0) rules.max_open_windows = 8;
    log_options options;
    if (seed % 3 == 0) rules.revise_for = 10 * second, options.most_delay = 15 * second;
    auto log = random_log(random, rules, options);
    log.push_back(long_silence(log));
    run straight{rules}, stopping{rules};
    for (std::size_t i = 0; i < log.size(); ++i) {
      auto a = bytes_of(straight.take(log[i])), b = bytes_of(stopping.take(log[i]));
      if (a != b) CAF_ERROR("seed " << seed << ": another output at record " << i);
      auto saved = stopping.stage.save();
      CAF_CHECK(saved == straight.stage.save());
      stopping.stop_and_load();
      CAF_CHECK_EQUAL(stopping.stage.open_windows(), straight.stage.open_windows());
      CAF_CHECK_EQUAL(stopping.stage.events(), straight.stage.events());
      CAF_CHECK(stopping.stage.save() == saved);
    }
    CAF_CHECK(!straight.records.empty());
  }
}

CAF_TEST(stopping once anywhere gives the same bytes as not stopping) {
  std::mt19937_64 random{99};
  auto rules = random_rules(random);
  log_options options;
  options.steps = 60;
  auto log = random_log(random, rules, options);
  log.push_back(long_silence(log));
  run straight{rules};
  straight.take_all(log);
  auto whole = to_msgpack(straight.records);
  for (std::size_t stop = 0; stop < log.size(); ++stop) {
    run x{rules};
    for (std::size_t i = 0; i < log.size(); ++i) {
      x.take(log[i]);
      if (i == stop) x.stop_and_load();
    }
    CAF_CHECK(to_msgpack(x.records) == whole);
  }
}

CAF_TEST(a checkpoint that is cut is refused) {
  std::mt19937_64 random{5};
  auto rules = random_rules(random);
  rules.revise_for = 5 * second;
  run x{rules};
  x.take_all(random_log(random, rules));
  auto bytes = x.stage.save();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    auto loaded = bar_stage::load(std::string_view{bytes}.substr(0, size));
    if (loaded) CAF_ERROR("the first " << size << " of " << bytes.size() << " bytes were taken");
  }
  CAF_CHECK(!bar_stage::load(bytes + '\0').has_value());
}

CAF_TEST(a checkpoint of another version is refused as incompatible) {
  auto bytes = bar_stage{bar_rules{}}.save();
  bytes[0] = 99;
  auto loaded = bar_stage::load(bytes);
  CAF_REQUIRE(!loaded.has_value());
  CAF_CHECK(loaded.error().code == errc::incompatible);
}

CAF_TEST(a checkpoint with changed bytes is refused or is a state that can be saved) {
  std::mt19937_64 random{6};
  for (int round = 0; round < 40; ++round) {
    auto rules = random_rules(random);
    log_options options;
    options.steps = 40;
    run x{rules};
    x.take_all(random_log(random, rules, options));
    auto bytes = x.stage.save();
    for (int i = 0; i < 250; ++i) {
      auto changed = bytes;
      for (auto n = 1 + random() % 3; n != 0; --n) changed[random() % changed.size()] = static_cast<char>(random());
      auto loaded = bar_stage::load(changed);
      if (loaded) CAF_CHECK(bar_stage::load(loaded->save()).has_value());
      if (!loaded) CAF_CHECK(loaded.error().code == errc::corrupt_record || loaded.error().code == errc::incompatible);
    }
  }
}
