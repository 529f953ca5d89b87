// A launch with more than 48 KB of shared memory, which the kernel was not configured for.
#include "harness.h"

namespace unasked_shared {

constexpr std::size_t kBytes = 64 << 10;

__global__ void copy(const Arguments p) {
  float* const values = dynamicShared<float>() + kBytes / sizeof(float) - 32;
  values[threadIdx.x] = p.input[threadIdx.x];
  p.output[threadIdx.x] = values[threadIdx.x];
}

const Fault fault("unasked_shared", [](bool planted) {
  if (!planted) return run(copy, {1, 32, kBytes}, [](std::size_t i) { return static_cast<float>(i); });
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(1);
  config.blockDim = dim3(32);
  config.dynamicSmemBytes = kBytes;
  PACKED_RNN_CHECK(cudaLaunchKernelEx(&config, copy, Arguments{nullptr, nullptr}));  // REPORTED
  return 0;
});

}  // namespace unasked_shared
