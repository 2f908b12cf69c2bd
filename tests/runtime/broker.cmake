set(broker_suites broker_memory:runtime/broker_memory_test.cpp)
if(FINSTREAM_REDIS)
  list(APPEND broker_suites broker_redis:runtime/broker_redis_test.cpp
                            broker_redis_operation:runtime/broker_redis_operation_test.cpp)
  set(broker_libraries hiredis_library)
endif()
if(FINSTREAM_NATS)
  list(APPEND broker_suites broker_nats:runtime/broker_nats_test.cpp
                            broker_nats_operation:runtime/broker_nats_operation_test.cpp
                            broker_nats_security:runtime/broker_nats_security_test.cpp)
  list(APPEND broker_libraries nats_library)
endif()
if(FINSTREAM_KAFKA)
  list(APPEND broker_suites broker_kafka:runtime/broker_kafka_test.cpp
                            broker_kafka_operation:runtime/broker_kafka_operation_test.cpp
                            broker_kafka_security:runtime/broker_kafka_security_test.cpp)
  list(APPEND broker_libraries kafka_library)
endif()
finstream_suites(test_broker
  LINK finstream_broker Threads::Threads ${broker_libraries}
  SUITES ${broker_suites})
if(FINSTREAM_KAFKA)
  set_tests_properties(broker_kafka_operation PROPERTIES
    ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/runtime/broker_lsan.supp")
endif()
