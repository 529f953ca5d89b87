// A write past a shared array, seen without a sanitizer when the block ends.
#include "harness.h"

namespace red_zone {

template <bool planted>
__global__ void reverse(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();  // REPORTED
  values[threadIdx.x] = p.input[threadIdx.x];
  if (planted && threadIdx.x == 0) values[64] = 0;
  __syncthreads();
  p.output[threadIdx.x] = values[63 - threadIdx.x];
}

const Fault fault("red_zone", [](bool planted) {
  return run(planted ? reverse<true> : reverse<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>(63 - i); });
});

}  // namespace red_zone
