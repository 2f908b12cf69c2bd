finstream_suites(test_actors LINK finstream_actors
  SUITES appender:actors/appender_test.cpp
         window:actors/window_test.cpp
         supervisor:actors/supervisor_test.cpp
         hub:actors/hub_test.cpp
         session:actors/session_test.cpp)
target_sources(test_actors PRIVATE support/world.cpp)
