finstream_suites(test_metrics LINK finstream_metrics finstream_messages Threads::Threads
  SUITES metrics:runtime/metrics.cpp)
