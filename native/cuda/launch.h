// How the host side talks to CUDA: checked calls, and launches of kernels that take one struct.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "backend.h"

namespace packed_rnn::cuda {

// Throws Error: ERR_OUT_OF_MEMORY, ERR_DEVICE_LOST for what sticks to the context, else ERR_OP_FAILED, with
// statement, reason, file and line.
void check(cudaError_t status, const char* statement, const char* file, int line);
#define PACKED_RNN_CHECK(statement) ::packed_rnn::cuda::check((statement), #statement, __FILE__, __LINE__)

// More than this much shared memory a block has to be asked for, kernel by kernel.
constexpr std::size_t kSharedUnasked = 48 << 10;

// kernel<<<grid, threads, sharedBytes, stream>>>(arguments)
template <class Arguments>
void launch(cudaStream_t stream, void (*kernel)(Arguments), dim3 grid, unsigned threads,
            std::size_t sharedBytes, const Arguments& arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (sharedBytes > kSharedUnasked) {
    PACKED_RNN_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(sharedBytes)));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = sharedBytes;
  config.stream = stream;
  PACKED_RNN_CHECK(cudaLaunchKernelEx(&config, kernel, arguments));
}

inline unsigned blocksFor(std::int64_t count, std::int64_t perBlock) {
  return static_cast<unsigned>((count + perBlock - 1) / perBlock);
}

}  // namespace packed_rnn::cuda
