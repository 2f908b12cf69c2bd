finstream_suites(test_actors LINK finstream_actors
  SUITES appender:actors/appender_test.cpp
         appender_recovery:actors/appender_recovery_test.cpp
         appender_follow:actors/appender_follow_test.cpp
         work_keeper:actors/work_keeper_test.cpp
         backfill_lane:actors/backfill_test.cpp
         backfill_recovery:actors/backfill_recovery_test.cpp
         window:actors/window_test.cpp
         stages:actors/stages_test.cpp
         supervisor:actors/supervisor_test.cpp
         hub:actors/hub_test.cpp
         session:actors/session_test.cpp
         metered:actors/metered_test.cpp
         rest:actors/rest_test.cpp
         rest_rows:actors/rest_rows_test.cpp
         lineage:actors/lineage_test.cpp
         log_entries:actors/log_entries_test.cpp
         poison:actors/poison_test.cpp
         letters:actors/letters_test.cpp
         letter_exchange:actors/letter_exchange_test.cpp
         log_bases:actors/log_bases_test.cpp
         ingestor:actors/ingestor_test.cpp
         ingestor_flow:actors/ingestor_flow_test.cpp
         pacer:actors/pacer_test.cpp
         job_keeper:actors/job_keeper_test.cpp
         gateway:actors/gateway_test.cpp)
target_sources(test_actors PRIVATE support/world.cpp)
