// A write past the end of a buffer in device memory, by the last block alone.
#include "harness.h"

namespace global_overrun {

template <bool planted>
__global__ void shift(const Arguments p) {
  const unsigned i = blockIdx.x * 64 + threadIdx.x;
  p.output[planted ? i + 1 : (i + 1) % 192] = p.input[i];  // REPORTED
}

const Fault fault("global_overrun", [](bool planted) {
  return run(planted ? shift<true> : shift<false>, {3, 64},
             [](std::size_t i) { return static_cast<float>((i + 191) % 192); });
});

}  // namespace global_overrun
