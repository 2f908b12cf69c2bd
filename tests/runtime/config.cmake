finstream_suites(test_config LINK finstream_config finstream_messages
  SUITES config_errors:runtime/config_errors.cpp
         config_load:runtime/config_load.cpp
         config_print:runtime/config_print.cpp)
