find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME reference_pages COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/cli/reference.py $<TARGET_FILE:finstream>)
