# One set of flags for all our code. Statistics must give the same bits everywhere: no fast-math, no contraction.
add_library(finstream_flags INTERFACE)
target_compile_options(finstream_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                                 -ffp-contract=off -fno-fast-math)
option(FINSTREAM_WERROR "a warning is an error" OFF)
if(FINSTREAM_WERROR)
  target_compile_options(finstream_flags INTERFACE -Werror)
endif()

# asan: address and undefined behaviour together. `null` is off because CAF's headers bind a reference to a null
# pointer inside init_fun_factory.hpp. tsan: only for what holds no CAF (Debian's CAF is not instrumented).
set(FINSTREAM_SANITIZE "" CACHE STRING "empty, asan or tsan")
if(FINSTREAM_SANITIZE STREQUAL "asan")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=null -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(FINSTREAM_SANITIZE STREQUAL "tsan")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
