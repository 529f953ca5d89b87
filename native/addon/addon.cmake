# The addon, which Node loads: add_addon(FLAGS). FLAGS is a library that carries the options of all linked targets.
include(${CMAKE_CURRENT_LIST_DIR}/../cpu/cpu.cmake)

set(ADDON_FOLDER ${CMAKE_CURRENT_LIST_DIR})
function(add_addon flags)
  file(GLOB sources CONFIGURE_DEPENDS ${ADDON_FOLDER}/*.cpp)
  add_library(addon MODULE ${sources})
  # This code is compiled once for each op and mostly calls Node, so it is compiled for size.
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

# The headers of Node-API and of node-addon-api are packages: compiling needs nothing else of Node.
function(use_node_api target)
  foreach(package node-api-headers node-addon-api)
    execute_process(
      COMMAND node -p "require('${package}').include_dir"
      WORKING_DIRECTORY ${ADDON_FOLDER}/../..
      OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    file(TO_CMAKE_PATH "${folder}" folder)
    cmake_path(ABSOLUTE_PATH folder BASE_DIRECTORY ${ADDON_FOLDER}/../..)
    # These are third-party headers: SYSTEM turns our warnings off in them.
    target_include_directories(${target} SYSTEM PRIVATE ${folder})
  endforeach()
  target_compile_definitions(${target} PRIVATE NAPI_VERSION=9 NODE_ADDON_API_DISABLE_DEPRECATED NODE_ADDON_API_CPP_EXCEPTIONS)
  if(APPLE)
    # Node provides Node-API's functions when it loads the addon.
    target_link_options(${target} PRIVATE -undefined dynamic_lookup)
  endif()
endfunction()
