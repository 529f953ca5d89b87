// One barrier a step is not enough if a thread writes data that another thread still reads.
#include "harness.h"

namespace missing_barrier {

template <bool planted>
__global__ void rotate(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  const unsigned j = threadIdx.x;
  values[j] = p.input[j];
  for (int step = 0; step < 4; step++) {
    __syncthreads();
    const float next = values[(j + 1) % 64];  // REPORTED
    if constexpr (!planted) __syncthreads();
    values[j] = next;  // REPORTED
  }
  p.output[j] = values[j];
}

const Fault fault("missing_barrier", [](bool planted) {
  return run(planted ? rotate<true> : rotate<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>((i + 4) % 64); });
});

}  // namespace missing_barrier
