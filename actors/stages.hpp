// The stages of a partition: log entries -> bars -> features -> signals. Each actor has one of them; a replay goes
// through all, one after the other. So the log is applied in one way only, live and in replay.
#pragma once

#include "actors/logic/answer_stage.hpp"
#include "actors/logic/bar_stage.hpp"
#include "actors/logic/feature_stage.hpp"
#include "actors/logic/rule_stage.hpp"
#include "actors/set_aside.hpp"
#include "messages/command/log_flow.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace finstream {

// Begins the step that an entry makes: its bars and its rejected events. There is no stage before the log has said its
// rules.
class window_stage {
public:
  // Errors: corrupt_record, incompatible.
  expected<stage_step> apply(const log_entry& entry);
  expected<void> load(std::string_view state); // empty: nothing has come yet. Errors: corrupt_record, incompatible
  std::string save() const { return stage_ ? stage_->save() : std::string{}; }

  bool has_open_windows() const { return stage_ && stage_->has_open_windows(); }
  std::uint64_t open_windows() const { return stage_ ? stage_->open_windows() : 0; }
  std::uint64_t series_count() const { return stage_ ? stage_->series_count() : 0; }

private:
  std::optional<bar_stage> stage_;
};

// Adds the features of the step's bars. None as long as no rules ask for any.
class features_stage {
public:
  expected<void> apply(stage_step& step); // errors: corrupt_record, incompatible
  expected<void> obey(const stage_rules& rules);
  expected<void> load(std::string_view state);
  std::string save() const { return stage_ ? stage_->save() : std::string{}; }

private:
  std::optional<feature_stage> stage_;
};

// Adds the signals that rules make of the step's features, and those that come of what a model said.
class inference_stage {
public:
  expected<void> apply(stage_step& step); // errors: corrupt_record, incompatible
  expected<void> obey(const stage_rules& rules);
  expected<void> load(std::string_view state);
  std::string save() const;

private:
  std::optional<rule_stage> stage_;
  answer_stage answers_;
};

// All of them.
class partition_stages {
public:
  // Before the first entry: what was set aside is left out as it was then. A record that not even the window saw must
  // not be given to apply(): it may be one that cannot be read.
  void leave_out(set_aside_records aside) { aside_ = std::move(aside); }
  bool leaves_out(std::uint64_t offset) const { return aside_.is_unseen(offset); }
  expected<stage_step> apply(const log_entry& entry);
  expected<void> obey(const stage_rules& rules); // of features and signals; those of bars stay
  expected<void> load(const stage_states& states);
  stage_states save() const { return {window_.save(), features_.save(), inference_.save()}; }

private:
  window_stage window_;
  features_stage features_;
  inference_stage inference_;
  set_aside_records aside_;
};

} // namespace finstream
