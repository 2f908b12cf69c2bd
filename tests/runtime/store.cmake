set(store_suites
  store_tables:runtime/store_tables_test.cpp
  store_memory:runtime/store_memory_test.cpp
  store_embedded:runtime/store_embedded_test.cpp)
if(FINSTREAM_POSTGRES)
  list(APPEND store_suites store_postgres:runtime/store_postgres_test.cpp
                           store_postgres_operation:runtime/store_postgres_operation_test.cpp)
  set(store_libraries pqxx_library pq)
endif()
finstream_suites(test_store
  LINK finstream_store finstream_bus Threads::Threads ${store_libraries}
  SUITES ${store_suites})
