// A tensor core gets a denormal number. It computes with it, while all other arithmetic reads it as 0.
#include "harness.h"

namespace denormal_operand {

template <bool planted>
__global__ void product(const Arguments p) {
  // A thread's number is a denormal one times that of its place.
  const float value = __uint_as_float(static_cast<unsigned>(p.input[threadIdx.x] + 1) << 13);
  const std::uint32_t word = planted ? __float_as_uint(value) : Tf32::round(flushed(value));
  const std::uint32_t large = Tf32::round(0x1p100f);
  const std::uint32_t a[4] = {large, large, large, large};
  float d[4] = {};
  Tf32::mma(d, a, word, word);  // REPORTED
  p.output[threadIdx.x] = d[0];
}

const Fault fault("denormal_operand", [](bool planted) {
  return run(planted ? product<true> : product<false>, {1, 32}, [](std::size_t) { return 0.0f; });
});

}  // namespace denormal_operand
