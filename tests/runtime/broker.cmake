finstream_suites(test_broker
  LINK finstream_broker Threads::Threads
  SUITES broker_memory:runtime/broker_memory_test.cpp)
