# The house rules read the source; the rules have tests of their own. Both run from the root of the project.
add_test(NAME house_rules COMMAND python3 tests/tidy.py WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
add_test(NAME house_rules_test COMMAND python3 tests/tidy_test.py WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties(house_rules house_rules_test PROPERTIES TIMEOUT 60 LABELS house ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
