finstream_suites(test_store
  LINK finstream_store finstream_bus
  SUITES store_tables:runtime/store_tables_test.cpp)
