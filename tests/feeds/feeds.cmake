# The shipped feeds, run as a node runs them: as programs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
foreach(feed IN ITEMS synthetic csv)
  add_test(NAME feed_${feed}
           COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/feeds/${feed}_feed.py $<TARGET_FILE:finstream-feed-${feed}>
                   ${CMAKE_SOURCE_DIR}
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(feed_${feed} PROPERTIES TIMEOUT 120)
endforeach()
