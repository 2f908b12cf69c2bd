# The models that the tests ask are trained first, by the script that users train theirs with.
set(models_data "${CMAKE_CURRENT_BINARY_DIR}/models_data")
add_test(NAME models_data COMMAND /usr/bin/python3 -I -B ${CMAKE_CURRENT_SOURCE_DIR}/runtime/models_data.py
                                  ${CMAKE_SOURCE_DIR}/tools/train_model.py ${models_data})
set_tests_properties(models_data PROPERTIES FIXTURES_SETUP models TIMEOUT 600)

set(xgboost_suite "")
if(FINSTREAM_XGBOOST)
  set(xgboost_suite models_xgboost:runtime/models_xgboost.cpp)
endif()
finstream_suites(test_models LINK finstream_models finstream_logic Threads::Threads LABELS threads
  SUITES models_card:runtime/models_card.cpp
         models_sklearn:runtime/models_sklearn.cpp
         models_misbehaving:runtime/models_misbehaving.cpp
         ${xgboost_suite})
target_compile_definitions(test_models PRIVATE FINSTREAM_MODELS_DATA="${models_data}")
set_tests_properties(models_card models_sklearn models_misbehaving PROPERTIES FIXTURES_REQUIRED models)
if(FINSTREAM_XGBOOST)
  set_tests_properties(models_xgboost PROPERTIES FIXTURES_REQUIRED models)
endif()
