if(FINSTREAM_POSTGRES)
  add_executable(store_bench store_bench.cpp)
  target_link_libraries(store_bench PRIVATE finstream_store finstream_bus pqxx_library pq)
endif()
