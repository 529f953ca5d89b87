// A pinned buffer that is written again before its pending copy has run.
#include "harness.h"

namespace reused_buffer {

__global__ void copy(const Arguments p) { p.output[threadIdx.x] = p.input[threadIdx.x]; }

const Fault fault("reused_buffer", [](bool planted) {
  DeviceMemory memory(0, 0);
  float* staging;
  float results[2];
  float* const numbers = static_cast<float*>(memory.allocate(3 * sizeof(float)));
  PACKED_RNN_CHECK(cudaMallocHost(&staging, sizeof(float)));
  for (int i = 0; i < 2; i++) {
    *staging = static_cast<float>(i);
    PACKED_RNN_CHECK(cudaMemcpyAsync(numbers, staging, sizeof(float), cudaMemcpyHostToDevice, nullptr));
    launch(nullptr, copy, dim3(1), 1, 0, Arguments{numbers, numbers + 1 + i});
    if (!planted) PACKED_RNN_CHECK(cudaStreamSynchronize(nullptr));
  }
  PACKED_RNN_CHECK(cudaMemcpy(results, numbers + 1, sizeof results, cudaMemcpyDeviceToHost));
  memory.deallocate(numbers, 3 * sizeof(float));
  PACKED_RNN_CHECK(cudaFreeHost(staging));
  if (results[0] == 0 && results[1] == 1) return 0;
  std::fprintf(stderr, "wanted 0 and 1, got %g and %g\n", static_cast<double>(results[0]),
               static_cast<double>(results[1]));
  return 1;
});

}  // namespace reused_buffer
