// A read past the shared memory that the launch allows.
#include "harness.h"

namespace dynamic_overrun {

template <bool planted>
__global__ void shift(const Arguments p) {
  float* const values = dynamicShared<float>();
  values[threadIdx.x] = p.input[threadIdx.x];
  __syncthreads();
  p.output[threadIdx.x] = values[planted ? threadIdx.x + 1 : (threadIdx.x + 1) % 64];  // REPORTED
}

const Fault fault("dynamic_overrun", [](bool planted) {
  return run(planted ? shift<true> : shift<false>, {1, 64, 64 * sizeof(float)},
             [](std::size_t i) { return static_cast<float>((i + 1) % 64); });
});

}  // namespace dynamic_overrun
