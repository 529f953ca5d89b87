// Types that several families of ops share.
#pragma once

#include "ops/describe.h"

namespace packed_rnn {

// Sequences are rows back to back: sequence b is rows offsets[b] to offsets[b + 1].
struct Sequences {
  const std::int32_t* offsets;  // host [B + 1], not decreasing, offsets[0] = 0, offsets[B] = N
  std::int64_t count;           // B
  PACKED_RNN_DESCRIBED std::int64_t rows() const { return count == 0 ? 0 : offsets[count]; }
};

// a b, or INT64_MAX if the product overflows, which is more than any buffer has.
PACKED_RNN_DESCRIBED constexpr std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

// What a backend derives from weights and reuses while they are unchanged, such as packed forms. The owner of
// the weights also owns this. It is destroyed with the weights, or when one of them changes. Any thread may
// destroy it.
struct Kept {
  virtual ~Kept() = default;
};

}  // namespace packed_rnn
