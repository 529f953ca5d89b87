// Attention over packed keys, with dot products and with additive scores.
#include "cpu/attention.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// Weights and contexts of all queries. score(query, key, keys, out) writes the scores of queries [begin, end)
// and the first `keys` keys of a sequence, a query's `stride` apart.
template <class Op, class Score>
void attend(CpuBackend& kernels, const Op& a, bool causal, Score score) {
  eachPart(kernels, a.queries, a.keys, false, a.width + a.columns,
           [&](const Meeting& m, std::int64_t begin, std::int64_t end) {
             const std::int64_t n = m.keys;
             float* const weights = a.weights + m.weight + begin * n;
             const auto live = [&](std::int64_t r) { return keysOf(begin + r, n, causal); };
             score(m, begin, end, live(end - begin - 1), weights);
             for (std::int64_t r = 0; r < end - begin; r++) weighRow(weights + r * n, live(r), n);
             const Mixture context = {
                 weights,  n, 1, a.values + m.key * a.columns, a.context + (m.query + begin) * a.columns,
                 a.columns};
             context.mix(
                 end - begin, [](std::int64_t) { return std::int64_t{0}; }, live);
           });
}

// The gradients of scores [pairs], `scale` times, and each query's part of them: then(meeting, begin, end,
// dScores of these queries).
template <class Op, class Then>
void scoreGradients(CpuBackend& kernels, const Op& a, bool causal, float scale, float* dScores, Then then) {
  eachPart(kernels, a.queries, a.keys, false, a.width + a.columns,
           [&](const Meeting& m, std::int64_t begin, std::int64_t end) {
             const std::int64_t n = m.keys;
             float* const d = dScores + m.weight + begin * n;
             productsOfRows(a.dContext + (m.query + begin) * a.columns, end - begin,
                            a.values + m.key * a.columns, keysOf(end - 1, n, causal), a.columns, 1, d, n);
             for (std::int64_t i = begin; i < end; i++) {
               const std::int64_t live = keysOf(i, n, causal);
               float* const row = d + (i - begin) * n;
               softmaxBackwardRow(a.weights + m.weight + i * n, row, row, live, false);
               for (std::int64_t j = 0; j < n; j++) row[j] = j < live ? scale * row[j] : 0.0f;
             }
             then(m, begin, end, d);
           });
}

// out[j] = Σ_i factors[i, j] source[i] over the queries i that attend to key j. `factors`: [pairs].
template <class Op>
void mixOfQueries(CpuBackend& kernels, const Op& a, bool causal, const float* factors, const float* source,
                  std::int64_t columns, float* out) {
  if (out == nullptr) return;
  eachPart(
      kernels, a.queries, a.keys, true, columns, [&](const Meeting& m, std::int64_t begin, std::int64_t end) {
        const Mixture mixture = {factors + m.weight + begin,      1,      m.keys, source + m.query * columns,
                                 out + (m.key + begin) * columns, columns};
        mixture.mix(
            end - begin,
            [&](std::int64_t r) { return causal ? smaller(m.queries, begin + r) : std::int64_t{0}; },
            [&](std::int64_t) { return m.queries; });
      });
}

}  // namespace

template <>
void run(CpuBackend& kernels, const DotAttention& a) {
  attend(kernels, a, a.causal,
         [&](const Meeting& m, std::int64_t begin, std::int64_t end, std::int64_t keys, float* scores) {
           productsOfRows(a.query + (m.query + begin) * a.width, end - begin, a.key + m.key * a.width, keys,
                          a.width, a.scale, scores, m.keys);
         });
}

template <>
void run(CpuBackend& kernels, const DotAttentionBackward& a) {
  Scratch<float> dScores(kernels, a.pairs());
  scoreGradients(kernels, a, a.causal, a.scale, dScores,
                 [&](const Meeting& m, std::int64_t begin, std::int64_t end, const float* d) {
                   if (a.dQuery == nullptr) return;
                   const Mixture mixture = {
                       d,      m.keys, 1, a.key + m.key * a.width, a.dQuery + (m.query + begin) * a.width,
                       a.width};
                   mixture.mix(
                       end - begin, [](std::int64_t) { return std::int64_t{0}; },
                       [&](std::int64_t r) { return keysOf(begin + r, m.keys, a.causal); });
                 });
  mixOfQueries(kernels, a, a.causal, dScores, a.query, a.width, a.dKey);
  mixOfQueries(kernels, a, a.causal, a.weights, a.dContext, a.columns, a.dValues);
}

namespace {

// out[k] = Σ_a v[a] tanh(query[a] + keys[k, a]) for K keys. Past the end of a row v is 0.
template <int K>
PACKED_RNN_INLINE void additiveScores(const float* query, const float* keys, const float* v,
                                      std::int64_t width, float* out) {
  V sums[K] = {};
  const auto step = [&](std::int64_t i, int n) {
    const V q = loadSome(query + i, n), factor = loadSome(v + i, n);
    for (int k = 0; k < K; k++)
      sums[k] = fma(factor, Simd::tanh(q + loadSome(keys + k * width + i, n)), sums[k]);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) step(i, kLanes);
  if (i < width) step(i, static_cast<int>(width - i));
  for (int k = 0; k < K; k++) out[k] = sumOfLanes(sums[k]);
}

}  // namespace

template <>
void run(CpuBackend& kernels, const AdditiveAttention& a) {
  attend(kernels, a, false,
         [&](const Meeting& m, std::int64_t begin, std::int64_t end, std::int64_t keys, float* scores) {
           for (std::int64_t i = begin; i < end; i++) {
             const float* const query = a.query + (m.query + i) * a.width;
             float* const row = scores + (i - begin) * m.keys;
             std::int64_t j = 0;
             for (; j + 2 <= keys; j += 2)
               additiveScores<2>(query, a.key + (m.key + j) * a.width, a.v, a.width, row + j);
             if (j < keys) additiveScores<1>(query, a.key + (m.key + j) * a.width, a.v, a.width, row + j);
           }
         });
}

namespace {

// The gradients behind the tanh in kLanes columns of one sequence. Returns the part of dV.
PACKED_RNN_INLINE V columnGradients(const AdditiveAttentionBackward& a, const Meeting& m,
                                    const float* dScores, std::int64_t column, int n) {
  const V v = loadSome(a.v + column, n);
  V dV = V{};
  for (std::int64_t i = 0; i < m.queries; i++) {
    const std::int64_t own = (m.query + i) * a.width + column;
    const V q = loadSome(a.query + own, n);
    const float* const d = dScores + m.weight + i * m.keys;
    V dQuery = V{};
    for (std::int64_t j = 0; j < m.keys; j++) {
      const std::int64_t at = (m.key + j) * a.width + column;
      const V u = Simd::tanh(q + loadSome(a.key + at, n)), score = splat(d[j]);
      const V t = score * (v * (1.0f - u * u));
      dV = fma(score, u, dV);
      dQuery += t;
      if (a.dKey != nullptr) storeSome(a.dKey + at, i == 0 ? t : loadSome(a.dKey + at, n) + t, n);
    }
    if (a.dQuery != nullptr) storeSome(a.dQuery + own, dQuery, n);
  }
  if (a.dKey == nullptr || m.queries > 0) return dV;
  for (std::int64_t j = 0; j < m.keys; j++) storeSome(a.dKey + (m.key + j) * a.width + column, V{}, n);
  return dV;
}

}  // namespace

template <>
void run(CpuBackend& kernels, const AdditiveAttentionBackward& a) {
  Scratch<float> dScores(kernels, a.pairs());
  scoreGradients(kernels, a, false, 1, dScores,
                 [](const Meeting&, std::int64_t, std::int64_t, const float*) {});
  mixOfQueries(kernels, a, false, a.weights, a.dContext, a.columns, a.dValues);
  if (a.dQuery == nullptr && a.dKey == nullptr && a.dV == nullptr) return;
  // A task is a strip of columns of a sequence, whose part of dV has its own row.
  constexpr std::int64_t kStrip = 64;
  const std::int64_t strips = (a.width + kStrip - 1) / kStrip, sequences = a.queries.count;
  Scratch<float> parts(kernels, sequences * a.width);
  Scratch<Meeting> meetings(kernels, sequences);
  std::int64_t weight = 0;
  for (std::int64_t b = 0; b < sequences; b++) {
    const Meeting m = {a.queries.offsets[b], a.queries.offsets[b + 1] - a.queries.offsets[b],
                       a.keys.offsets[b], a.keys.offsets[b + 1] - a.keys.offsets[b], weight};
    meetings[b] = m;
    weight += m.queries * m.keys;
  }
  auto some = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; t++) {
      const std::int64_t b = t / strips, begin = t % strips * kStrip, end = smaller(a.width, begin + kStrip);
      eachVector(end - begin, [&](std::int64_t i, int n) {
        const std::int64_t column = begin + i;
        storeSome(parts + b * a.width + column, columnGradients(a, meetings[b], dScores, column, n), n);
      });
    }
  };
  const std::int64_t work = sequences == 0 ? 1 : larger(1, times(weight, kStrip) / sequences);
  parallelChunks(kernels, sequences * strips, larger(1, (1 << 13) / work), some);
  if (a.dV != nullptr)
    PACKED_RNN_PLAIN::sumColumns(kernels, parts, kAllLive, sequences, a.width, a.width, a.dV);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
