# The simulator, and the same with faults on purpose: what they are in is compiled a second time, for that program only.
set(_simulation simulation/checks.cpp simulation/journal_book.cpp simulation/ledger.cpp simulation/operations.cpp
    simulation/operations_broker.cpp simulation/rules.cpp simulation/simulated_archive.cpp
    simulation/simulated_broker.cpp simulation/simulated_disk.cpp simulation/simulated_feed.cpp
    simulation/simulated_link.cpp simulation/simulated_node.cpp simulation/simulation.cpp support/world.cpp
    ${CMAKE_SOURCE_DIR}/cli/open_log.cpp ${CMAKE_SOURCE_DIR}/cli/replay_run.cpp ${CMAKE_SOURCE_DIR}/cli/side_topic.cpp)
add_library(finstream_simulation OBJECT ${_simulation})
target_link_libraries(finstream_simulation PUBLIC finstream_actors CLI11::CLI11 nlohmann_json::nlohmann_json)

add_executable(simulate simulation/simulate.cpp simulation/planted_faults.cpp)
target_link_libraries(simulate PRIVATE finstream_simulation)

# A program's own objects come before a library's of the same names.
set(_with_faults actors/appender actors/appender_aside actors/appender_lane actors/derived_writer actors/ingestor
    actors/healer actors/ingestor_process actors/passing_stage actors/set_aside actors/window runtime/bus/brokered_bus
    runtime/bus/brokered_open runtime/bus/journal_copy runtime/bus/journal_writer runtime/bus/shipper)
list(TRANSFORM _with_faults REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/\\1.cpp")
add_executable(simulate_planted simulation/simulate.cpp simulation/planted_faults.cpp ${_with_faults})
target_compile_definitions(simulate_planted PRIVATE FINSTREAM_PLANTED_FAULTS)
target_link_libraries(simulate_planted PRIVATE finstream_simulation)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME simulation COMMAND simulate --seeds 300 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
add_test(NAME simulation_is_repeatable COMMAND simulate --seeds 100 --twice WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
add_test(NAME simulation_finds_faults COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/simulation/planted_faults.py
         $<TARGET_FILE:simulate> $<TARGET_FILE:simulate_planted> WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(simulation simulation_is_repeatable simulation_finds_faults PROPERTIES TIMEOUT 300 LABELS simulation)
