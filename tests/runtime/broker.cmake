set(broker_suites broker_memory:runtime/broker_memory_test.cpp)
if(FINSTREAM_REDIS)
  list(APPEND broker_suites broker_redis:runtime/broker_redis_test.cpp
                            broker_redis_operation:runtime/broker_redis_operation_test.cpp)
  set(broker_libraries hiredis_library)
endif()
if(FINSTREAM_NATS)
  list(APPEND broker_suites broker_nats:runtime/broker_nats_test.cpp
                            broker_nats_operation:runtime/broker_nats_operation_test.cpp)
  list(APPEND broker_libraries nats_library)
endif()
finstream_suites(test_broker
  LINK finstream_broker Threads::Threads ${broker_libraries}
  SUITES ${broker_suites})
