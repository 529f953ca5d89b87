// A tensor core gets a number with more bits than TF32 has.
#include "harness.h"

namespace unrounded_operand {

template <bool planted>
__global__ void product(const Arguments p) {
  const float value = p.input[threadIdx.x] * (1 + 0x1p-20f);
  const std::uint32_t word = planted ? __float_as_uint(value) : Tf32::round(value);
  // The rows of the unit matrix times a b whose row t, column g is the number of its lane, 4 g + t.
  const std::uint32_t one = Tf32::round(1.0f);
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  const std::uint32_t a[4] = {g == t ? one : 0, 0, g == t + 4 ? one : 0, 0};
  float d[4] = {};
  Tf32::mma(d, a, word, word);  // REPORTED
  p.output[threadIdx.x] = d[0];
}

const Fault fault("unrounded_operand", [](bool planted) {
  return run(planted ? product<true> : product<false>, {1, 32},
             [](std::size_t i) { return static_cast<float>(i / 4 % 4 + 8 * (i % 4)); });
});

}  // namespace unrounded_operand
