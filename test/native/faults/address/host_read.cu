// Device memory that the host reads.
#include "harness.h"

namespace host_read {

__global__ void add(const Arguments p) { p.output[0] = p.input[0] + 1; }

const Fault fault("host_read", [](bool planted) {
  DeviceMemory memory(0, 0);
  float result = 1;
  float* const numbers = static_cast<float*>(memory.allocate(2 * sizeof(float)));
  PACKED_RNN_CHECK(cudaMemcpyAsync(numbers, &result, sizeof result, cudaMemcpyHostToDevice, nullptr));
  launch(nullptr, add, dim3(1), 1, 0, Arguments{numbers, numbers + 1});
  PACKED_RNN_CHECK(cudaMemcpyAsync(&result, numbers + 1, sizeof result, cudaMemcpyDeviceToHost, nullptr));
  if (planted) result = numbers[1];  // REPORTED
  memory.deallocate(numbers, 2 * sizeof(float));
  return result == 2 ? 0 : 1;
});

}  // namespace host_read
