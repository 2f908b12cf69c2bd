add_executable(append_bench "${CMAKE_SOURCE_DIR}/bench/append_bench.cpp")
target_link_libraries(append_bench PRIVATE finstream_bus)
