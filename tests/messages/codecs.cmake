finstream_suites(test_codecs LINK finstream_messages nlohmann_json::nlohmann_json
  SUITES bytes:messages/bytes_test.cpp
         event_codec:messages/event_codec_test.cpp
         event_codec_hostile:messages/event_codec_hostile_test.cpp
         feature:messages/feature_test.cpp
         msgpack:messages/msgpack_test.cpp
         json:messages/json_test.cpp
         command_json:messages/command_json_test.cpp
         work_json:messages/work_json_test.cpp
         errors:messages/errors_test.cpp
         schema:messages/schema_test.cpp
         type_ids:messages/type_ids_test.cpp)
