add_executable(bus_writer runtime/bus_writer.cpp)
target_link_libraries(bus_writer PRIVATE finstream_bus)

set(bus_suites "")
set(bus_libraries "")
if(FINSTREAM_REDIS)
  list(APPEND bus_suites bus_redis:runtime/bus_redis_test.cpp)
  list(APPEND bus_libraries hiredis_library)
endif()
if(FINSTREAM_NATS)
  list(APPEND bus_suites bus_nats:runtime/bus_nats_test.cpp)
  list(APPEND bus_libraries nats_library)
endif()
if(FINSTREAM_KAFKA)
  list(APPEND bus_suites bus_kafka:runtime/bus_kafka_test.cpp)
  list(APPEND bus_libraries kafka_library)
endif()
finstream_suites(test_bus
  LINK finstream_bus RocksDB::rocksdb-shared Threads::Threads ${bus_libraries}
  SUITES record_codec:runtime/bus_codec_test.cpp
         bus_memory:runtime/bus_memory_test.cpp
         bus_embedded_none:runtime/bus_embedded_none_test.cpp
         bus_embedded_interval:runtime/bus_embedded_interval_test.cpp
         bus_embedded_batch:runtime/bus_embedded_batch_test.cpp
         bus_journal:runtime/bus_journal_test.cpp
         bus_brokered:runtime/bus_brokered_test.cpp
         bus_outage:runtime/bus_outage_test.cpp
         bus_joined:runtime/bus_joined_test.cpp
         bus_follower:runtime/bus_follower_test.cpp
         bus_flow:runtime/bus_flow_test.cpp
         ${bus_suites}
         bus_recovery:runtime/bus_recovery_test.cpp
         bus_check:runtime/bus_check_test.cpp
         bus_operation:runtime/bus_operation_test.cpp
         bus_disk_full:runtime/bus_disk_full_test.cpp)
add_dependencies(test_bus bus_writer)
target_compile_definitions(test_bus PRIVATE FINSTREAM_BUS_WRITER="$<TARGET_FILE:bus_writer>")
foreach(suite bus_embedded_none bus_embedded_interval bus_embedded_batch bus_recovery bus_check bus_operation bus_disk_full)
  set_tests_properties(${suite} PROPERTIES
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/runtime/bus_tsan.supp")
endforeach()
