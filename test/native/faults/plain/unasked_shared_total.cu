// 48 KB of dynamic shared memory and a few bytes of the kernel's own: together more than the default limit.
#include "harness.h"

namespace unasked_shared_total {

constexpr std::size_t kBytes = 48 << 10;

__global__ void copy(const Arguments p) {
  float* const own = sharedArray<float, 32, 0>();  // REPORTED
  float* const values = dynamicShared<float>() + kBytes / sizeof(float) - 32;
  own[threadIdx.x] = values[threadIdx.x] = p.input[threadIdx.x];
  p.output[threadIdx.x] = own[threadIdx.x];
}

const Fault fault("unasked_shared_total", [](bool planted) {
  if (!planted) return run(copy, {1, 32, kBytes}, [](std::size_t i) { return static_cast<float>(i); });
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(1);
  config.blockDim = dim3(32);
  config.dynamicSmemBytes = kBytes;
  PACKED_RNN_CHECK(cudaLaunchKernelEx(&config, copy, Arguments{nullptr, nullptr}));
  PACKED_RNN_CHECK(cudaDeviceSynchronize());
  return 0;
});

}  // namespace unasked_shared_total
