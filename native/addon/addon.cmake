# The addon, which Node loads: add_addon(FLAGS), FLAGS being what all of it links for its options.
include(${CMAKE_CURRENT_LIST_DIR}/../cpu/cpu.cmake)

set(ADDON_FOLDER ${CMAKE_CURRENT_LIST_DIR})
function(add_addon flags)
  file(GLOB sources CONFIGURE_DEPENDS ${ADDON_FOLDER}/*.cpp)
  add_library(addon MODULE ${sources})
  # Once for each op, and mostly calls of Node: small before fast.
  set_source_files_properties(${ADDON_FOLDER}/ops.cpp ${ADDON_FOLDER}/ops_many.cpp PROPERTIES COMPILE_OPTIONS -Os)
  add_cpu_backend(addon ${flags})
  set_target_properties(addon PROPERTIES PREFIX "" SUFFIX ".node")
  use_node_api(addon)
  find_package(Threads REQUIRED)
  target_link_libraries(addon PRIVATE ${flags} Threads::Threads ${CMAKE_DL_LIBS})
  if(NOT APPLE)
    target_link_options(addon PRIVATE -Wl,--exclude-libs,ALL)
  endif()
endfunction()

# Node-API's headers, and those of its C++ side, come as packages: nothing else of Node is needed to compile.
function(use_node_api target)
  foreach(package node-api-headers node-addon-api)
    execute_process(
      COMMAND node -p "require('${package}').include_dir"
      WORKING_DIRECTORY ${ADDON_FOLDER}/../..
      OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    file(TO_CMAKE_PATH "${folder}" folder)
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${ADDON_FOLDER}/../..)
    # They are somebody else's: SYSTEM keeps our warnings to our own sources.
    target_include_directories(${target} SYSTEM PRIVATE ${folder})
  endforeach()
  target_compile_definitions(${target} PRIVATE NAPI_VERSION=9 NODE_ADDON_API_DISABLE_DEPRECATED NODE_ADDON_API_CPP_EXCEPTIONS)
  if(APPLE)
    # Node, which loads it, has Node-API's functions.
    target_link_options(${target} PRIVATE -undefined dynamic_lookup)
  endif()
endfunction()
