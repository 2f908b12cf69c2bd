finstream_suites(test_parsing LINK finstream_messages LABELS messages SUITES
  decimal:messages/decimal_test.cpp
  timestamp:messages/timestamp_test.cpp
  line_parser:messages/line_parser_test.cpp
  line_parser_controls:messages/line_parser_control_test.cpp
  line_parser_shapes:messages/line_parser_shapes_test.cpp
  raw_lines:messages/raw_lines_test.cpp)
