# Binaries that are built on a new Linux run on an old one: they need no symbol newer than glibc 2.28 and GCC 8's
# libstdc++, on which Node 20's own binary runs. Two kinds of functions need a remedy. If a function has a newer version,
# the old one is called (addon.cpp, cuda.cpp). An entirely new function is defined here (both.cpp). `npm run
# check:prebuilds` checks the binaries.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles(
  "#include <cstdlib>
  #if !defined(__linux__) || !defined(__x86_64__) || !defined(__GLIBC__) || !defined(__GLIBCXX__)
  #error no floor
  #endif
  int main() {}" PACKED_RNN_FLOOR)

function(stand_on_floor target source)
  if(NOT PACKED_RNN_FLOOR)
    return()
  endif()
  target_sources(${target} PRIVATE native/floor/both.cpp native/floor/${source})
  # Before glibc 2.34 these functions are not in libc.
  target_link_options(${target} PRIVATE
    -Wl,--push-state,--no-as-needed -l:libdl.so.2 -l:libpthread.so.0 -l:librt.so.1 -Wl,--pop-state)
endfunction()
