// A model of xgboost, asked by its actor about the features of a partition; and one of sklearn whose worker hangs.
#define CAF_SUITE model_asker

#include "tests/support/suite.hpp"

#include "actors/answer_rows.hpp"
#include "actors/log_entries.hpp"
#include "actors/model_asker.hpp"
#include "actors/stages.hpp"
#include "tests/runtime/models_worker.hpp"
#include "tests/support/world.hpp"

#include <algorithm>
#include <set>

using namespace finstream;
using namespace finstream::test;

namespace {

struct asked_world : world {
  asked_world() {
    feature_rules features;
    features.windows = {
      {"ret_1m", feature_kind::ret, 0, 1}, {"vol_5m", feature_kind::vol, 0, 5}, {"rsi", feature_kind::rsi, 0, 3}};
    features.schema = 4, features.config_hash = 7;
    rules.set({rules_of_one_second().save(), features.save(), {}});
    serve(open_model(trained("xgboost.ubj"), {}));
  }
  ~asked_world() { end_all(); }

  void serve(expected<std::unique_ptr<model>> opened) {
    ensure(opened.has_value(), opened ? "" : opened.error().message.c_str());
    served = {std::move(*opened), patience, true, 0, 9};
  }
  void start() {
    start_appender();
    start_window();
    pass(20 * millisecond);
  }
  std::string path() const { return "/consumers/models/" + served.what->name(); }
  model_actor start_asker() {
    auto handle = spawn_metered<model_asker_state>(
      system(), where, path(), [this](model_asker_state& state) { state.prepare(&context, &served); });
    settle();
    return handle;
  }
  // A trade of each symbol in each of so many seconds; the bars of the one before close.
  void trade_for(int seconds) {
    for (; seconds > 0; --seconds, ++second_number) {
      std::vector<happening> events;
      for (auto* symbol : {"SPY", "QQQ", "IWM"}) {
        walk = walk * 6364136223846793005 + 1442695040888963407;
        auto price = std::to_string(100 + (walk >> 33) % 7);
        events.push_back(trade(at("09:30:00") + second_number * second, price, "1", ++number, symbol));
      }
      tell(find<appender_actor>("/partitions/0/appender"), verb::append_v, part_of(events), ++parts,
           listen().as<append_listener>());
      pass(20 * millisecond);
    }
  }
  std::uint64_t features_end() const { return log.range(topic::features, 0)->next; }
  std::vector<answers> all_answers() const {
    std::vector<answers> out;
    for (auto& entry : entries())
      if (entry->answered) out.push_back(*entry->answered);
    return out;
  }
  std::vector<derived> items(topic of) const {
    std::vector<derived> out;
    for (auto& r : records(of)) {
      auto record = to_derived_record(r).value();
      out.insert(out.end(), record->items.begin(), record->items.end());
    }
    return out;
  }
  std::vector<feature_vector> vectors() const {
    std::vector<feature_vector> out;
    for (auto& item : items(topic::features)) out.push_back(std::get<feature_vector>(item));
    return out;
  }
  std::vector<finstream::signal> signals() const {
    std::vector<finstream::signal> out;
    for (auto& item : items(topic::signals)) out.push_back(std::get<finstream::signal>(item));
    return out;
  }
  // From the first vector to the last, each once.
  bool answers_are_without_gap() const {
    std::uint64_t next = 0;
    for (auto& x : all_answers()) {
      if (x.features_from != next || x.features_until <= next) return false;
      next = x.features_until;
    }
    return next == features_end() && next != 0;
  }

  served_model served;
  std::uint64_t parts = 0, walk = 42;
  std::int64_t number = 0;
  int second_number = 0;
};

// One whose worker does nothing in its first life but hang, and is killed for it; later ones answer.
struct hanging_world : asked_world {
  hanging_world() {
    config.inference.models.breaker_failures = 2;
    config.inference.models.breaker_open_ms = 5000;
    serve(open_model(workers.copy_model(), workers.worker(R"(
hello()
while True:
    asked = request()
    if life == 0: time.sleep(1000)
    answer(asked)
)")));
    served.deadline = 100 * millisecond;
  }
  ~hanging_world() { end_all(); }
  std::string breaker() {
    auto is_open = status(path()).value_or("").find(R"("breaker":"open")") != std::string::npos;
    return is_open ? "open" : "not open";
  }
  bool until_another_worker_is_ready() const {
    return workers.wait_until([this] {
      auto health = served.what->health();
      return health.ready && health.starts > 1;
    });
  }

  worker_world workers;
};

} // namespace

CAF_TEST(each vector is asked about once and what the model said is in the log) {
  asked_world w;
  w.start();
  w.start_asker();
  w.trade_for(30);
  CAF_CHECK(w.answers_are_without_gap());
  auto vectors = w.vectors();
  std::size_t rows = 0;
  for (auto& x : w.all_answers()) {
    CAF_CHECK(x.outcome == ask_outcome::answered && x.model == "xgboost" && x.kind == "xgboost");
    CAF_CHECK(x.maker == w.served.what->card().maker() && x.config_hash == 9);
    for (auto& row : x.rows) {
      auto& vector = vectors.at(row.vector);
      std::vector<answer_row> again;
      model_batch given{3, {}};
      again.push_back(to_answer_row(vector, row.vector, w.served.what->features(), given.values));
      add_predictions(again, w.served.what->card(), given, *w.served.what->predict(given, within(patience)));
      CAF_CHECK(again.front() == row && row.score);
      ++rows;
    }
  }
  CAF_CHECK(rows == vectors.size() && rows > 60);
  CAF_CHECK_EQUAL(w.counted("finstream_model_calls_total{model=\"xgboost\",outcome=\"answered\"}"),
                  w.all_answers().size());
}

CAF_TEST(a prediction that is sure is a signal and a replay of the log gives the same) {
  asked_world w;
  w.start();
  w.start_asker();
  w.trade_for(40);
  std::size_t sure = 0;
  for (auto& x : w.all_answers())
    for (auto& row : x.rows) sure += row.score && *row.score >= x.threshold;
  auto made = w.signals();
  CAF_CHECK(sure == made.size() && sure > 0);
  for (auto& x : made)
    CAF_CHECK(x.adapter == "xgboost" && x.name == "next_return" && x.inputs.size() == 3 &&
              x.inputs[0].name == "ret_1m");
  partition_stages stages;
  std::vector<finstream::signal> again;
  for (auto& entry : w.entries()) {
    auto step = stages.apply(*entry);
    CAF_REQUIRE(step.has_value());
    for (auto& item : step->signals) again.push_back(std::get<finstream::signal>(item));
  }
  CAF_CHECK(again == made);
}

CAF_TEST(an asker that crashed goes on where the log says it was) {
  asked_world w;
  w.start();
  w.start_asker();
  for (int i = 0; i < 5; ++i) {
    w.trade_for(3);
    w.kill(w.path());
    w.trade_for(2);
    w.start_asker();
    w.pass(20 * millisecond);
  }
  CAF_CHECK(w.answers_are_without_gap());
  std::set<std::string> ids;
  for (auto& x : w.signals()) CAF_CHECK(ids.insert(x.signal_id).second);
}

CAF_TEST(an answer that waits for the disk is written once although the appender crashes meanwhile) {
  asked_world w;
  w.start();
  w.start_asker();
  w.trade_for(5);
  auto before = w.all_answers().size();
  // The bars of the last second are written, and then the disk is full.
  w.log.refuse(errc::disk_full, 2);
  w.trade_for(1);
  CAF_CHECK(w.log.refused() > 0);
  w.kill("/partitions/0/appender");
  w.log.refuse(errc::none);
  for (auto* child : {"window", "features", "inference"}) {
    w.kill(std::string{"/partitions/0/"} + child);
    w.forget(std::string{"/partitions/0/"} + child);
  }
  w.start();
  w.pass(second); // the asker looks for its appender
  w.trade_for(5);
  w.pass(second);
  CAF_CHECK(w.all_answers().size() > before);
  CAF_CHECK(w.answers_are_without_gap());
}

CAF_TEST(answers that are handed in twice are written once) {
  asked_world w;
  w.start();
  w.trade_for(3);
  auto appender = w.find<appender_actor>("/partitions/0/appender");
  auto said = std::make_shared<answers>();
  said->model = "m", said->features_from = 0, said->features_until = 2;
  for (int i = 0; i < 2; ++i) w.tell(appender, verb::answer_v, answers_ptr{said}, w.listen().as<answer_listener>());
  CAF_CHECK_EQUAL(w.all_answers().size(), 1u);
  CAF_CHECK_EQUAL(w.saved(stage_table, answered_key(0, "m")), "2");
}

CAF_TEST(vectors that are too old are passed over and that is said) {
  asked_world w;
  w.config.inference.models.max_age_ms = 10'000;
  w.start();
  w.trade_for(10);
  auto old = w.features_end();
  w.pass(20 * second);
  w.start_asker();
  w.pass(second);
  w.second_number += 30;
  w.trade_for(5);
  auto all = w.all_answers();
  CAF_REQUIRE(all.size() > 1);
  CAF_CHECK(all[0].outcome == ask_outcome::too_old && all[0].rows.empty());
  CAF_CHECK(all[0].features_from == 0 && all[0].features_until >= old - 3);
  CAF_CHECK(all.back().outcome == ask_outcome::answered);
  CAF_CHECK(w.answers_are_without_gap());
  CAF_CHECK_EQUAL(w.counted("finstream_model_passed_over_total{model=\"xgboost\",reason=\"too_old\"}"),
                  all[0].features_until);
}

CAF_TEST(a model that is away does not hold the log and says what it missed) {
  asked_world w;
  w.start();
  w.start_asker();
  w.trade_for(5);
  auto until = w.all_answers().back().features_until;
  w.kill(w.path());
  w.trade_for(10);
  auto cut = w.vectors().size() - 3;
  auto trimmed = w.log.trim(topic::features, 0, cut);
  CAF_REQUIRE(trimmed.has_value());
  CAF_CHECK_EQUAL(*trimmed, cut);
  w.start_asker();
  w.pass(20 * millisecond);
  auto all = w.all_answers();
  auto missed = std::find_if(all.begin(), all.end(), [&](auto& x) { return x.features_from == until; });
  CAF_REQUIRE(missed != all.end());
  CAF_CHECK(missed->outcome == ask_outcome::too_old && missed->features_until == cut);
  CAF_CHECK(all.back().outcome == ask_outcome::answered && all.back().features_until == w.features_end());
}

CAF_TEST(no call is larger than its limit) {
  asked_world w;
  w.config.inference.models.max_batch_rows = 2; // a second's bars are three
  w.start();
  w.trade_for(20);
  w.start_asker();
  w.pass(20 * millisecond);
  w.trade_for(10);
  CAF_CHECK(w.answers_are_without_gap());
  std::size_t rows = 0;
  for (auto& x : w.all_answers()) {
    CAF_CHECK(x.rows.size() <= 2);
    rows += x.rows.size();
  }
  CAF_CHECK_EQUAL(rows, w.vectors().size());
}

CAF_TEST(a model that hangs is not asked for a while and then tried again) {
  hanging_world w;
  auto hub = w.listen("/hub");
  w.start();
  w.start_asker();
  w.trade_for(5); // three bars are closed, and an RSI over three needs four: nobody is asked
  for (auto& x : w.all_answers()) CAF_CHECK(x.outcome == ask_outcome::answered && !x.rows.at(0).score);
  CAF_CHECK_EQUAL(w.counted("finstream_model_calls_total{model=\"noted\",outcome=\"answered\"}"), 0u);
  auto undefined = w.all_answers().size();
  w.trade_for(6);
  auto all = w.all_answers();
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(undefined));
  CAF_REQUIRE(all.size() >= 3);
  CAF_CHECK(all[0].outcome == ask_outcome::failed && all[0].error == errc::timed_out);
  CAF_CHECK(all[1].outcome == ask_outcome::failed);
  CAF_CHECK(all[2].outcome == ask_outcome::breaker_open && all[2].reason.find("2 failures in a row") == 0);
  CAF_CHECK_EQUAL(w.breaker(), "open");
  CAF_CHECK_EQUAL(w.counted("finstream_model_breaker{model=\"noted\"}"), 1u);
  CAF_CHECK(w.signals().empty());
  // Its second worker answers, and three trials close the breaker.
  CAF_REQUIRE(w.until_another_worker_is_ready());
  w.pass(6 * second);
  w.second_number += 10;
  w.trade_for(8);
  CAF_CHECK_EQUAL(w.breaker(), "not open");
  CAF_CHECK(w.all_answers().back().outcome == ask_outcome::answered);
  CAF_CHECK(w.answers_are_without_gap());
  CAF_CHECK_EQUAL(w.counted("finstream_model_breaker{model=\"noted\"}"), 0u);
  std::vector<std::string> told;
  for (auto& x : hub.now().events)
    if (x.kind == sys_kind::model) told.push_back(x.reason);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  CAF_CHECK(told[0].find("is not asked for a while") == 0 && told[1] == "answers again");
}
