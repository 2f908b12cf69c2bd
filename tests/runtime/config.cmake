finstream_suites(test_config LINK finstream_config finstream_messages
  SUITES config_errors:runtime/config_errors.cpp
         config_features:runtime/config_features.cpp
         config_founding:runtime/config_founding.cpp
         config_rules:runtime/config_rules.cpp
         config_load:runtime/config_load.cpp
         config_print:runtime/config_print.cpp
         config_roles:runtime/config_roles.cpp)
