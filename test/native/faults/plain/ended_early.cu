// Threads that end while others wait for them.
#include "harness.h"

namespace ended_early {

template <bool planted>
__global__ void shift(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  values[threadIdx.x] = p.input[threadIdx.x];
  if (planted && threadIdx.x == 63) return;
  __syncthreads();  // REPORTED
  p.output[threadIdx.x] = values[(threadIdx.x + 1) % 64];
}

const Fault fault("ended_early", [](bool planted) {
  return run(planted ? shift<true> : shift<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>((i + 1) % 64); });
});

}  // namespace ended_early
