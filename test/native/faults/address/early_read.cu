// Shared memory that is read while an asynchronous copy to it is in progress.
#include "harness.h"

namespace early_read {

template <bool planted>
__global__ void copy(const Arguments p) {
  float4* const values = sharedArray<float4, 16, 0>();
  const bool copies = threadIdx.x < 16;
  if (copies) copyAsync<16>(&values[threadIdx.x], &p.input[threadIdx.x * 4], true);
  commitCopies();
  if constexpr (!planted) waitForCopies<0>();
  __syncthreads();
  const float value = reinterpret_cast<const float*>(values)[threadIdx.x];  // REPORTED
  waitForCopies<0>();
  p.output[threadIdx.x] = value;
}

const Fault fault("early_read", [](bool planted) {
  return run(planted ? copy<true> : copy<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>(i); });
});

}  // namespace early_read
