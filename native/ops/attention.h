// Attention over packed keys: each query of a sequence is answered by a mean of the sequence's values.
#pragma once

#include "ops/basics.h"

namespace packed_rnn {

// The number of (query, key) pairs: Σ_b M_b N_b, or INT64_MAX if it overflows. For the host.
PACKED_RNN_DESCRIBED std::int64_t pairsOf(const Sequences& queries, const Sequences& keys) {
  std::int64_t pairs = 0;
  for (std::int64_t b = 0; b < queries.count; b++) {
    const std::int64_t m = queries.offsets[b + 1] - queries.offsets[b];
    const std::int64_t n = keys.offsets[b + 1] - keys.offsets[b];
    if (m * n > INT64_MAX - pairs) return INT64_MAX;
    pairs += m * n;
  }
  return pairs;
}

// For query i of a sequence, over the keys j of that sequence:
//   weights[i, j] = softmax_j(scale query[i] · key[j])    context[i] = Σ_j weights[i, j] values[j]
// `causal`: query i of a sequence attends to keys 0 to i, and its other weights are 0. Without keys the
// context is 0. Weights are stored sequence after sequence, those of a query together. Sums are float32 in
// the order of keys, on every device and in every precision.
struct DotAttention {
  static constexpr auto name = "dotAttention";
  Sequences queries, keys;  // M and N rows, of as many sequences
  std::int64_t width, columns;
  float scale;
  bool causal;
  const float* query;
  const float* key;
  const float* values;
  float* weights;
  float* context;

  PACKED_RNN_DESCRIBED std::int64_t M() const { return queries.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t N() const { return keys.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t pairs() const { return pairsOf(queries, keys); }
  using O = DotAttention;
  using Fields = List<Offsets<&O::queries>, Offsets<&O::keys>, Extent<&O::width>, Extent<&O::columns>,
                      Number<&O::scale>, Flag<&O::causal>, Read<&O::query, &O::M, &O::width>,
                      Read<&O::key, &O::N, &O::width>, Read<&O::values, &O::N, &O::columns>,
                      Write<&O::weights, &O::pairs>, Write<&O::context, &O::M, &O::columns>>;
};
// With dWeights[i, j] = dContext[i] · values[j] and d = weights (dWeights - Σ_j weights dWeights):
//   dQuery[i] = scale Σ_j d[i, j] key[j]    dKey[j] = scale Σ_i d[i, j] query[i]
//   dValues[j] = Σ_i weights[i, j] dContext[i]
struct DotAttentionBackward {
  static constexpr auto name = "dotAttentionBackward";
  Sequences queries, keys;
  std::int64_t width, columns;
  float scale;
  bool causal;
  const float* query;
  const float* key;
  const float* values;
  const float* weights;
  const float* dContext;
  float* dQuery;   // optional
  float* dKey;     // optional
  float* dValues;  // optional

  PACKED_RNN_DESCRIBED std::int64_t M() const { return queries.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t N() const { return keys.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t pairs() const { return pairsOf(queries, keys); }
  using O = DotAttentionBackward;
  using Fields =
      List<Offsets<&O::queries>, Offsets<&O::keys>, Extent<&O::width>, Extent<&O::columns>, Number<&O::scale>,
           Flag<&O::causal>, Read<&O::query, &O::M, &O::width>, Read<&O::key, &O::N, &O::width>,
           Read<&O::values, &O::N, &O::columns>, Read<&O::weights, &O::pairs>,
           Read<&O::dContext, &O::M, &O::columns>, Optional<Write<&O::dQuery, &O::M, &O::width>>,
           Optional<Write<&O::dKey, &O::N, &O::width>>, Optional<Write<&O::dValues, &O::N, &O::columns>>>;
};

// The same with weights[i, j] = softmax_j(Σ_a v[a] tanh(query[i, a] + key[j, a])) (Bahdanau et al. 2015).
struct AdditiveAttention {
  static constexpr auto name = "additiveAttention";
  Sequences queries, keys;
  std::int64_t width, columns;
  const float* query;
  const float* key;
  const float* values;
  const float* v;
  float* weights;
  float* context;

  PACKED_RNN_DESCRIBED std::int64_t M() const { return queries.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t N() const { return keys.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t pairs() const { return pairsOf(queries, keys); }
  using O = AdditiveAttention;
  using Fields = List<Offsets<&O::queries>, Offsets<&O::keys>, Extent<&O::width>, Extent<&O::columns>,
                      Read<&O::query, &O::M, &O::width>, Read<&O::key, &O::N, &O::width>,
                      Read<&O::values, &O::N, &O::columns>, Read<&O::v, &O::width>,
                      Write<&O::weights, &O::pairs>, Write<&O::context, &O::M, &O::columns>>;
};
// With d as above, u = tanh(query[i, a] + key[j, a]), computed again, and t = d[i, j] v[a] (1 - u²):
//   dQuery[i, a] = Σ_j t    dKey[j, a] = Σ_i t    dV[a] = Σ_ij d[i, j] u
struct AdditiveAttentionBackward {
  static constexpr auto name = "additiveAttentionBackward";
  Sequences queries, keys;
  std::int64_t width, columns;
  const float* query;
  const float* key;
  const float* values;
  const float* v;
  const float* weights;
  const float* dContext;
  float* dQuery;   // optional
  float* dKey;     // optional
  float* dValues;  // optional
  float* dV;       // optional

  PACKED_RNN_DESCRIBED std::int64_t M() const { return queries.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t N() const { return keys.rows(); }
  PACKED_RNN_DESCRIBED std::int64_t pairs() const { return pairsOf(queries, keys); }
  using O = AdditiveAttentionBackward;
  using Fields =
      List<Offsets<&O::queries>, Offsets<&O::keys>, Extent<&O::width>, Extent<&O::columns>,
           Read<&O::query, &O::M, &O::width>, Read<&O::key, &O::N, &O::width>,
           Read<&O::values, &O::N, &O::columns>, Read<&O::v, &O::width>, Read<&O::weights, &O::pairs>,
           Read<&O::dContext, &O::M, &O::columns>, Optional<Write<&O::dQuery, &O::M, &O::width>>,
           Optional<Write<&O::dKey, &O::N, &O::width>>, Optional<Write<&O::dValues, &O::N, &O::columns>>,
           Optional<Write<&O::dV, &O::width>>>;
};

using AttentionOps = List<DotAttention, DotAttentionBackward, AdditiveAttention, AdditiveAttentionBackward>;

}  // namespace packed_rnn
