// The host's interface to CUDA: checked calls, and launches of kernels that take one struct.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "backend.h"

namespace packed_rnn::cuda {

// Throws Error with the statement, reason, file and line: ERR_OUT_OF_MEMORY, ERR_DEVICE_LOST for a sticky
// error of the context, otherwise ERR_OP_FAILED.
void check(cudaError_t status, const char* statement, const char* file, int line);
#define PACKED_RNN_CHECK(statement) ::packed_rnn::cuda::check((statement), #statement, __FILE__, __LINE__)

// Allows a kernel to be launched with so much dynamic shared memory. Without it a block has 48 KB including
// the kernel's own arrays, whose size the host does not know here. So this is called for any amount, once for
// each kernel and device.
inline void allowShared(const void* kernel, std::size_t bytes) {
  int device = 0;
  PACKED_RNN_CHECK(cudaGetDevice(&device));
  static std::mutex mutex;
  // Never destroyed: a device's thread may outlive the end of main.
  static auto& allowed = *new std::map<std::pair<int, const void*>, std::size_t>;
  const std::lock_guard lock(mutex);
  std::size_t& most = allowed[{device, kernel}];
  if (bytes <= most) return;
  PACKED_RNN_CHECK(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  most = bytes;
}

// kernel<<<grid, threads, sharedBytes, stream>>>(arguments)
template <class Arguments>
void launch(cudaStream_t stream, void (*kernel)(Arguments), dim3 grid, unsigned threads,
            std::size_t sharedBytes, const Arguments& arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (sharedBytes > 0) allowShared(reinterpret_cast<const void*>(kernel), sharedBytes);
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
