// Two blocks that write the same place of the output.
#include "harness.h"

namespace two_blocks {

template <bool planted>
__global__ void copy(const Arguments p) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x;
  if (planted && threadIdx.x == 0) p.output[63] = p.input[63];  // REPORTED
  __syncthreads();
  p.output[i] = p.input[i];  // REPORTED
}

const Fault fault("two_blocks", [](bool planted) {
  return run(planted ? copy<true> : copy<false>, {2, 32},
             [](std::size_t i) { return static_cast<float>(i); });
});

}  // namespace two_blocks
