// A wait that leaves one group of copies too many in progress: the data that is read has not arrived.
#include "harness.h"

namespace pending_group {

template <bool planted>
__global__ void copy(const Arguments p) {
  float* const values = sharedArray<float, 64, 0>();
  copyAsync<4>(&values[threadIdx.x], &p.input[threadIdx.x], true);
  commitCopies();
  waitForCopies<planted ? 1 : 0>();
  p.output[threadIdx.x] = values[threadIdx.x];
  waitForCopies<0>();
}

const Fault fault("pending_group", [](bool planted) {
  return run(planted ? copy<true> : copy<false>, {1, 64},
             [](std::size_t i) { return static_cast<float>(i); });
});

}  // namespace pending_group
