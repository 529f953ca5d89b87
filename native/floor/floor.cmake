# What is built on a new Linux runs on an old one: the binaries ask for no symbol newer than glibc 2.28 and GCC 8's
# libstdc++, which is what Node 20's own binary runs on. Two things stand in the way, and each has one remedy: a function
# that got a new version is called by the old one (addon.cpp, cuda.cpp), and what is new altogether is defined
# here (both.cpp). `npm run check:prebuilds` reads from the binaries whether this is enough.
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
  # Before 2.34 these functions are not in libc.
  target_link_options(${target} PRIVATE
    -Wl,--push-state,--no-as-needed -l:libdl.so.2 -l:libpthread.so.0 -l:librt.so.1 -Wl,--pop-state)
endfunction()
