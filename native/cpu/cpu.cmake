# Adds the CPU backend to a library: add_cpu_backend(TARGET FLAGS…). FLAGS are libraries that carry the options of all sources.

# All sources except these are kernels, compiled once for each instruction set, each in a namespace of that name. They use no
# inline function that another translation unit also has: the linker could merge them, and a CPU without AVX-512 would run
# a body for AVX-512.
set(CPU_SHARED allocator cpu_backend open team)
set(CPU_ISAS portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND CPU_ISAS avx2 avx512 avx512bf16)
  # Assemblers know AMX since 2020.
  include(CheckCXXSourceCompiles)
  check_cxx_source_compiles("int main() { asm(\"tdpbf16ps %tmm2, %tmm1, %tmm0\"); }" PACKED_RNN_AMX)
  if(PACKED_RNN_AMX)
    list(APPEND CPU_ISAS amx)
  endif()
endif()
set(FLAGS_portable "")
set(FLAGS_avx2 -mavx2 -mfma)
set(FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprfchw -mprefer-vector-width=512)
set(FLAGS_avx512bf16 ${FLAGS_avx512} -mavx512bf16)
set(FLAGS_amx ${FLAGS_avx512bf16} -DPACKED_RNN_TILES)
# Sets that differ from another one in products alone have only the kernels of those.
set(CPU_PRODUCTS ceilings gemm kernels live pack recurrent recurrent_backward recurrent_forward recurrent_weights slices)
set(PLAIN_avx512bf16 avx512)
set(PLAIN_amx avx512)

set(CPU_FOLDER ${CMAKE_CURRENT_LIST_DIR})
function(add_cpu_backend target)
  file(GLOB kernels CONFIGURE_DEPENDS ${CPU_FOLDER}/*.cpp)
  list(TRANSFORM CPU_SHARED REPLACE "(.+)" "${CPU_FOLDER}/\\1.cpp" OUTPUT_VARIABLE shared)
  list(REMOVE_ITEM kernels ${shared})
  target_sources(${target} PRIVATE ${shared})
  target_compile_definitions(${target} PRIVATE $<$<BOOL:${PACKED_RNN_AMX}>:PACKED_RNN_AMX>)
  foreach(isa ${CPU_ISAS})
    # Two libraries of one build share these objects.
    if(NOT TARGET cpu_${isa})
      if(DEFINED PLAIN_${isa})
        list(TRANSFORM CPU_PRODUCTS REPLACE "(.+)" "${CPU_FOLDER}/\\1.cpp" OUTPUT_VARIABLE products)
        add_library(cpu_${isa} OBJECT ${products})
        target_compile_definitions(cpu_${isa} PRIVATE PACKED_RNN_PLAIN=${PLAIN_${isa}})
      else()
        add_library(cpu_${isa} OBJECT ${kernels})
      endif()
      target_link_libraries(cpu_${isa} PRIVATE ${ARGN})
      target_compile_options(cpu_${isa} PRIVATE ${FLAGS_${isa}})
      target_compile_definitions(cpu_${isa} PRIVATE PACKED_RNN_ISA=${isa})
      # Every kernel includes it, and parsing it takes as long as compiling a short one.
      target_precompile_headers(cpu_${isa} PRIVATE ${CPU_FOLDER}/kernels.h)
    endif()
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:cpu_${isa}>)
  endforeach()
endfunction()
