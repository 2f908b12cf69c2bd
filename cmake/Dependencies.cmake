# The third-party libraries, all from Debian 12 (.ci/packages.txt names each with its reason). Those without a CMake
# package of their own get an imported target here, so that the layers only ever name targets.
find_package(RocksDB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(fmt REQUIRED)
find_package(muparser REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(ZLIB REQUIRED)

find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)
add_library(msgpack_headers INTERFACE)
target_include_directories(msgpack_headers SYSTEM INTERFACE "${MSGPACK_INCLUDE_DIR}")

find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(xxhash_library INTERFACE)
target_link_libraries(xxhash_library INTERFACE "${XXHASH_LIBRARY}")

if(FINSTREAM_POSTGRES)
  find_path(PQXX_INCLUDE_DIR pqxx/pqxx)
  find_library(PQXX_LIBRARY pqxx)
  if(NOT PQXX_INCLUDE_DIR OR NOT PQXX_LIBRARY)
    message(FATAL_ERROR "libpqxx is missing: install libpqxx-dev, or do without PostgreSQL: -DFINSTREAM_POSTGRES=OFF")
  endif()
  add_library(pqxx_library INTERFACE)
  target_include_directories(pqxx_library SYSTEM INTERFACE "${PQXX_INCLUDE_DIR}")
  target_link_libraries(pqxx_library INTERFACE "${PQXX_LIBRARY}")
endif()

# The one library a node can do without: models of xgboost are then refused, with a sentence that says so.
if(FINSTREAM_XGBOOST)
  find_path(XGBOOST_INCLUDE_DIR xgboost/c_api.h)
  find_library(XGBOOST_LIBRARY xgboost)
  if(NOT XGBOOST_INCLUDE_DIR OR NOT XGBOOST_LIBRARY)
    message(FATAL_ERROR "libxgboost is not there: install libxgboost-dev, or build without its models: "
                        "-DFINSTREAM_XGBOOST=OFF")
  endif()
  add_library(xgboost_library INTERFACE)
  target_include_directories(xgboost_library SYSTEM INTERFACE "${XGBOOST_INCLUDE_DIR}")
  target_link_libraries(xgboost_library INTERFACE "${XGBOOST_LIBRARY}" gomp)
endif()
