// A barrier that half of the block reaches elsewhere.
#include "harness.h"

namespace divergent_barrier {

template <bool planted>
__global__ void reverse(const Arguments p) {
  float* const values = sharedArray<float, 96, 0>();
  values[threadIdx.x] = p.input[threadIdx.x];
  if (!planted || threadIdx.x < 48) {
    __syncthreads();  // REPORTED
  } else {
    __syncthreads();  // REPORTED
  }
  p.output[threadIdx.x] = values[95 - threadIdx.x];
}

const Fault fault("divergent_barrier", [](bool planted) {
  return run(planted ? reverse<true> : reverse<false>, {1, 96},
             [](std::size_t i) { return static_cast<float>(95 - i); });
});

}  // namespace divergent_barrier
