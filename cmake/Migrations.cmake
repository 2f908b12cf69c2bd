# finstream_migrations(SOURCE directory): SOURCE is set to a file that holds all of directory/NNNN_name.sql, so that the
# program needs none of them where it runs. A hole in the numbers is an error.
function(finstream_migrations source directory)
  file(GLOB files CONFIGURE_DEPENDS "${directory}/*.sql")
  list(SORT files)
  set(entries "")
  set(expected_number 0)
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    math(EXPR expected_number "${expected_number} + 1")
    if(NOT name MATCHES "^0*([1-9][0-9]*)_([a-z0-9_]+)$" OR NOT CMAKE_MATCH_1 EQUAL expected_number)
      message(FATAL_ERROR "${file}: the name should be NNNN_words.sql with number ${expected_number}")
    endif()
    set(words "${CMAKE_MATCH_2}")
    file(READ "${file}" sql)
    string(APPEND entries "  {${expected_number}, \"${words}\", R\"SQL(${sql})SQL\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  endforeach()
  set(output "${CMAKE_CURRENT_BINARY_DIR}/migrations.cpp")
  file(GENERATE OUTPUT "${output}" CONTENT
"#include \"runtime/store/postgres_schema.hpp\"

namespace finstream::postgres_schema {

std::span<const migration> migrations() {
  static constexpr migration all[] = {
${entries}  };
  return all;
}

} // namespace finstream::postgres_schema
")
  set(${source} "${output}" PARENT_SCOPE)
endfunction()
