finstream_suites(test_logic LINK finstream_logic ZLIB::ZLIB
  SUITES backfill:actors/logic_backfill.cpp
         backfill_features:actors/logic_backfill_features.cpp
         bar_builder:actors/logic_bar_builder.cpp
         bars:actors/logic_bars.cpp
         bars_random:actors/logic_bars_random.cpp
         bars_arrival:actors/logic_bars_arrival.cpp
         bars_sources:actors/logic_bars_sources.cpp
         bars_silence:actors/logic_bars_silence.cpp
         bars_limits:actors/logic_bars_limits.cpp
         bars_checkpoint:actors/logic_bars_checkpoint.cpp
         bars_rules:actors/logic_bars_rules.cpp
         bars_revisions:actors/logic_bars_revisions.cpp
         feature_math:actors/logic_feature_math.cpp
         features:actors/logic_features.cpp
         features_revisions:actors/logic_features_revisions.cpp
         features_checkpoint:actors/logic_features_checkpoint.cpp
         features_recorded:actors/logic_features_recorded.cpp
         rules:actors/logic_rules.cpp
         rules_checkpoint:actors/logic_rules_checkpoint.cpp
         answers:actors/logic_answers.cpp
         rule_names:actors/logic_rule_names.cpp
         source_clock:actors/logic_source_clock.cpp
         event_memory:actors/logic_event_memory.cpp
         request_pacing:actors/logic_request_pacing.cpp
         retention:actors/logic_retention.cpp
         restart_policy:actors/logic_restart_policy.cpp
         circuit_breaker:actors/logic_circuit_breaker.cpp
         subscription_table:actors/logic_subscription_table.cpp
         work_table:actors/logic_work_table.cpp)
set_tests_properties(features_recorded PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: no recorded data")
