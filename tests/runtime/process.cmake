# Supervising one external process, with real ones. No actor, and no CAF but the test framework: run under TSan too.
finstream_suites(test_process LINK finstream_process Threads::Threads LABELS threads
  SUITES process_lines:runtime/process_lines.cpp
         process_output:runtime/process_output.cpp
         process_end:runtime/process_end.cpp)

# A process with a child, to be killed.
add_executable(process_keeper runtime/process_keeper.cpp)
target_link_libraries(process_keeper PRIVATE finstream_process)
add_dependencies(test_process process_keeper)
target_compile_definitions(test_process PRIVATE FINSTREAM_PROCESS_KEEPER="$<TARGET_FILE:process_keeper>")
