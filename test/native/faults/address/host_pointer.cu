// A kernel that reads memory of the host.
#include "harness.h"

namespace host_pointer {

struct WithTable {
  const float* input;
  const float* table;  // [1]
  float* output;
};
__global__ void addTable(const WithTable p) {
  p.output[threadIdx.x] = p.input[threadIdx.x] + p.table[0];  // REPORTED
}

const Fault fault("host_pointer", [](bool planted) {
  DeviceMemory memory(0, 0);
  float one = 1, result = 0;
  float* const numbers = static_cast<float*>(memory.allocate(3 * sizeof(float)));
  for (int i = 0; i < 2; i++)
    PACKED_RNN_CHECK(cudaMemcpyAsync(numbers + i, &one, sizeof one, cudaMemcpyHostToDevice, nullptr));
  const float* const table = planted ? &one : numbers + 1;
  launch(nullptr, addTable, dim3(1), 1, 0, WithTable{numbers, table, numbers + 2});
  PACKED_RNN_CHECK(cudaMemcpy(&result, numbers + 2, sizeof result, cudaMemcpyDeviceToHost));
  memory.deallocate(numbers, 3 * sizeof(float));
  return result == 2 ? 0 : 1;
});

}  // namespace host_pointer
