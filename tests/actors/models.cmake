# The models that are asked are those that runtime/models.cmake has trained.
if(FINSTREAM_XGBOOST)
  finstream_suites(test_models_asked LINK finstream_actors LABELS threads SUITES model_asker:actors/model_asker_test.cpp)
  target_sources(test_models_asked PRIVATE support/world.cpp)
  target_compile_definitions(test_models_asked PRIVATE FINSTREAM_MODELS_DATA="${CMAKE_CURRENT_BINARY_DIR}/models_data")
  set_tests_properties(model_asker PROPERTIES FIXTURES_REQUIRED models)
endif()
