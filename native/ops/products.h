// Products of matrices.
#pragma once

#include <array>

#include "ops/basics.h"

namespace packed_rnn {

// c = op(a) op(b) + bias
struct Matmul {
  static constexpr auto name = "matmul";
  std::int64_t m, n, k;
  bool transposeA, transposeB;
  const float* a;     // [m, k], or [k, m] with transposeA
  const float* b;     // [k, n], or [n, k] with transposeB
  const float* bias;  // [n], optional
  float* c;           // [m, n]
  Kept** kept;        // host [1], optional: what an earlier op with the same b derived from it, or null

  using O = Matmul;
  using Fields = List<Extent<&O::m>, Extent<&O::n>, Extent<&O::k>, Flag<&O::transposeA>, Flag<&O::transposeB>,
                      Read<&O::a, &O::m, &O::k>, Read<&O::b, &O::k, &O::n>, Optional<Read<&O::bias, &O::n>>,
                      Write<&O::c, &O::m, &O::n>, Keeps<&O::kept>>;
  using KeptOf = List<Read<&O::b, &O::k, &O::n>>;
  PACKED_RNN_DESCRIBED bool keeps() const { return !transposeA; }
  PACKED_RNN_DESCRIBED std::array<std::int64_t, 5> keptShape() const { return {n, k, transposeB}; }
};

// c[i] = op(a[i]) op(b[i]) for i < `batch`. An operand is one matrix for all, or one for each.
struct BatchMatmul {
  static constexpr auto name = "batchMatmul";
  std::int64_t batch, m, n, k;
  bool transposeA, transposeB;
  bool sameA, sameB;  // one matrix for all
  const float* a;
  const float* b;
  float* c;

  PACKED_RNN_DESCRIBED std::int64_t countA() const { return sameA ? 1 : batch; }
  PACKED_RNN_DESCRIBED std::int64_t countB() const { return sameB ? 1 : batch; }
  using O = BatchMatmul;
  using Fields =
      List<Extent<&O::batch>, Extent<&O::m>, Extent<&O::n>, Extent<&O::k>, Flag<&O::transposeA>,
           Flag<&O::transposeB>, Flag<&O::sameA>, Flag<&O::sameB>, Read<&O::a, &O::countA, &O::m, &O::k>,
           Read<&O::b, &O::countB, &O::k, &O::n>, Write<&O::c, &O::batch, &O::m, &O::n>>;
};

using ProductOps = List<Matmul, BatchMatmul>;

}  // namespace packed_rnn
