// Lanes that exchange through shared memory without __syncwarp: a shuffle orders no memory.
#include "harness.h"

namespace missing_warp_barrier {

template <bool planted>
__global__ void neighbours(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  const unsigned j = threadIdx.x;
  values[j] = p.input[j];  // REPORTED
  const float own = __shfl_sync(0xffffffffu, p.input[j], static_cast<int>(j % 32));
  if constexpr (!planted) __syncwarp();
  p.output[j] = own - values[j ^ 1];  // REPORTED
}

const Fault fault("missing_warp_barrier", [](bool planted) {
  return run(planted ? neighbours<true> : neighbours<false>, {1, 64},
             [](std::size_t i) { return i % 2 == 0 ? -1.0f : 1.0f; });
});

}  // namespace missing_warp_barrier
