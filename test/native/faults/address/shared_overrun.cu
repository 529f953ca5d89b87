// A write one past the end of a shared array.
#include "harness.h"

namespace shared_overrun {

template <bool planted>
__global__ void shift(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  values[planted ? threadIdx.x + 1 : (threadIdx.x + 1) % 64] = p.input[threadIdx.x];  // REPORTED
  __syncthreads();
  p.output[threadIdx.x] = values[threadIdx.x];
}

const Fault fault("shared_overrun", [](bool planted) {
  return run(planted ? shift<true> : shift<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>((i + 63) % 64); });
});

}  // namespace shared_overrun
