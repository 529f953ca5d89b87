// An asynchronous copy that is never waited for.
#include "harness.h"

namespace unwaited_copy {

template <bool planted>
__global__ void reverse(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  copyAsync<4>(&values[threadIdx.x], &p.input[threadIdx.x], true);  // REPORTED
  commitCopies();
  if constexpr (!planted) waitForCopies<0>();
  __syncthreads();
  p.output[threadIdx.x] = values[63 - threadIdx.x];
}

const Fault fault("unwaited_copy", [](bool planted) {
  return run(planted ? reverse<true> : reverse<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>(63 - i); });
});

}  // namespace unwaited_copy
