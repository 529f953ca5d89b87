// Elementwise functions with broadcasting, and copies between any layouts.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// See native/functions.h for the equations. Backward functions take the gradient last.
enum class Function : std::int32_t {
  copy,
  neg,
  exp,
  log,
  sqrt,
  abs,
  softplus,
  sigmoid,
  tanh,
  relu,
  gelu,
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  eq,
  gt,
  lt,
  where,                // a != 0 ? b : c
  clamp,                // a between b and c
  within,               // 1 where b <= a <= c
  sqrtBackward,         // of (result, d)
  absBackward,          // of (argument, d)
  softplusBackward,     // of (argument, d)
  sigmoidBackward,      // of (result, d)
  tanhBackward,         // of (result, d)
  reluBackward,         // of (result, d)
  geluBackward,         // of (argument, d)
  divBackward,          // in the divisor: of (result, divisor, d)
  powBackward,          // in the base: of (base, exponent, d)
  powBackwardExponent,  // of (base, exponent, d)
  maximumBackward,      // in a: of (a, b, d)
  minimumBackward,
};

// The distance from the first to the last of n elements. If it overflows, it is larger than any buffer.
PACKED_RNN_DESCRIBED std::int64_t reach(std::int64_t n, std::int64_t stride) {
  std::int64_t last = 0;
  constexpr std::int64_t kFar = INT64_MAX / 16;
  if (__builtin_mul_overflow(n - 1, stride, &last) || last > kFar || last < -kFar)
    return stride < 0 ? -kFar : kFar;
  return last;
}

// out = f(a, b, c) over at most four dimensions. out is contiguous. A stride of 0 repeats an operand. An
// absent operand is replaced by its number.
struct Elementwise {
  static constexpr auto name = "elementwise";
  Function function;
  Four shape;
  Four stridesA, stridesB, stridesC;  // in elements
  float numberA, numberB, numberC;
  const float* a;
  const float* b;
  const float* c;
  float* out;  // may be an operand with the same layout

  PACKED_RNN_DESCRIBED std::int64_t count() const {
    return shape.at[0] * shape.at[1] * shape.at[2] * shape.at[3];
  }
  // The number of elements from an operand's first to its last.
  PACKED_RNN_DESCRIBED std::int64_t span(const Four& strides) const {
    std::int64_t last = 0;
    for (int d = 0; d < 4; d++) {
      if (shape.at[d] == 0) return 0;
      last += reach(shape.at[d], strides.at[d]);
    }
    return last + 1;
  }
  PACKED_RNN_DESCRIBED bool fits() const {
    bool fit = true;
    for (int d = 0; d < 4; d++)
      fit = fit && stridesA.at[d] >= 0 && stridesB.at[d] >= 0 && stridesC.at[d] >= 0;
    return fit;
  }
  PACKED_RNN_DESCRIBED std::int64_t spanA() const { return span(stridesA); }
  PACKED_RNN_DESCRIBED std::int64_t spanB() const { return span(stridesB); }
  PACKED_RNN_DESCRIBED std::int64_t spanC() const { return span(stridesC); }
  using O = Elementwise;
  using Fields = List<Choice<&O::function>, Extents<&O::shape>, Strides<&O::stridesA>, Strides<&O::stridesB>,
                      Strides<&O::stridesC>, Number<&O::numberA>, Number<&O::numberB>, Number<&O::numberC>,
                      Optional<Read<&O::a, &O::spanA>>, Optional<Read<&O::b, &O::spanB>>,
                      Optional<Read<&O::c, &O::spanC>>, Write<&O::out, &O::count>>;
};

// destination[i, j, k, l] = source[i, j, k, l], each with its own strides and first element. Strides of the
// source may be 0 or negative. All places of the destination are distinct. Elements between them are
// unchanged.
struct CopyStrided {
  static constexpr auto name = "copyStrided";
  Four shape;
  Four sourceStrides, destinationStrides;  // in elements
  std::int64_t sourceFirst, destinationFirst;
  std::int64_t sourceCount, destinationCount;
  const float* source;
  float* destination;

  // Whether all places of one side are inside its buffer.
  PACKED_RNN_DESCRIBED bool inside(std::int64_t first, const Four& strides, std::int64_t count) const {
    std::int64_t low = first, high = first;
    for (int d = 0; d < 4; d++) {
      if (shape.at[d] == 0) return true;
      const std::int64_t last = reach(shape.at[d], strides.at[d]);
      (last < 0 ? low : high) += last;
    }
    return low >= 0 && high < count;
  }
  PACKED_RNN_DESCRIBED bool fits() const {
    return inside(sourceFirst, sourceStrides, sourceCount) &&
           inside(destinationFirst, destinationStrides, destinationCount);
  }
  using O = CopyStrided;
  using Fields = List<Extents<&O::shape>, Strides<&O::sourceStrides>, Strides<&O::destinationStrides>,
                      Extent<&O::sourceFirst>, Extent<&O::destinationFirst>, Extent<&O::sourceCount>,
                      Extent<&O::destinationCount>, Read<&O::source, &O::sourceCount>,
                      Part<&O::destination, &O::destinationCount>>;
};

struct Fill {
  static constexpr auto name = "fill";
  std::int64_t count;
  float value;
  const float* from;  // [1], optional: the value is read from the device
  float* out;

  PACKED_RNN_DESCRIBED std::int64_t one() const { return 1; }
  using O = Fill;
  using Fields = List<Extent<&O::count>, Number<&O::value>, Optional<Read<&O::from, &O::one>>,
                      Write<&O::out, &O::count>>;
};

using ElementOps = List<Elementwise, CopyStrided, Fill>;

}  // namespace packed_rnn
