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
