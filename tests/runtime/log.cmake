finstream_suites(test_log LINK finstream_log finstream_messages nlohmann_json::nlohmann_json Threads::Threads
  SUITES log_text:runtime/log_text.cpp
         log_lines:runtime/log_lines.cpp)
