# Whole nodes, as programs. They skip (and say why) where the recorded data, or a file system of their own, is not to be had.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(_scenario_binaries --binaries ${CMAKE_BINARY_DIR})

# finstream_scenario(NAME SECONDS script arguments...)
function(finstream_scenario name seconds script)
  add_test(NAME ${name} COMMAND Python3::Interpreter -u -B ${CMAKE_CURRENT_SOURCE_DIR}/scenarios/${script} ${ARGN} ${_scenario_binaries}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  # One at a time: each is a whole node with its feeds, and moments are drawn by the clock.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${seconds} LABELS scenario SKIP_RETURN_CODE 77 RESOURCE_LOCK whole_node)
endfunction()

finstream_scenario(truth_quick 600 truth.py --quick)
finstream_scenario(second_node_refused 180 lifecycle.py second_node_refused)
finstream_scenario(graceful_stop 300 lifecycle.py graceful_stop)
finstream_scenario(bad_feeds 300 lifecycle.py bad_feeds)
finstream_scenario(stubborn_feeds 180 lifecycle.py stubborn_feeds)
finstream_scenario(log_is_trimmed 300 lifecycle.py log_is_trimmed)
finstream_scenario(websocket_stream 300 streams.py)
finstream_scenario(lineage_of_bars 300 lineage.py)
finstream_scenario(disk_full 600 disk_full.py)
finstream_scenario(postgres_store 300 postgres.py)
finstream_scenario(signals 180 signals.py)
finstream_scenario(pacing 180 pacing.py)
if(FINSTREAM_XGBOOST)
  finstream_scenario(models 600 models.py)
endif()
finstream_scenario(letters_poison 300 letters.py poison)
finstream_scenario(letters_raw_lines 180 letters.py raw_lines)
finstream_scenario(letters_purge 180 letters.py purge)
finstream_scenario(letters_undeliverable 300 letters.py undeliverable)
finstream_scenario(letters_retry 180 letters.py retry)

# Writes what no node would write, for the scenario of poison.
add_executable(poison_writer scenarios/poison_writer.cpp)
target_link_libraries(poison_writer PRIVATE finstream_bus)
finstream_scenario(backfill_of_a_day 600 backfill.py)

# Damages logs behind the node's back, for the scenario of damage.
add_executable(damage_writer scenarios/damage_writer.cpp)
target_link_libraries(damage_writer PRIVATE finstream_store RocksDB::rocksdb-shared)
finstream_scenario(damage 600 damage.py)
finstream_scenario(crash_rounds 300 crash_rounds.py --rounds 10)
