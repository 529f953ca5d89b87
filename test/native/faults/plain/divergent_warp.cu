// A shuffle of the whole warp that one lane does not reach.
#include "harness.h"

namespace divergent_warp {

template <bool planted>
__global__ void neighbour(const Arguments p) {
  float value = p.input[threadIdx.x];
  if (!planted || threadIdx.x != 17) value = __shfl_xor_sync(0xffffffffu, value, 1);  // REPORTED
  p.output[threadIdx.x] = value;
}

const Fault fault("divergent_warp", [](bool planted) {
  return run(planted ? neighbour<true> : neighbour<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>(i ^ 1); });
});

}  // namespace divergent_warp
