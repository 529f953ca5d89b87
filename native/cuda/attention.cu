// Attention over packed keys, with dot products and with additive scores.
#include "cuda_backend.h"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

// A block has one query, or one key. A warp computes a score, whose terms are its lanes'; a thread computes a
// column.
constexpr unsigned kThreads = 256;
constexpr int kWarps = kThreads / 32;

template <class Op>
struct Attention {
  Op op;
  const std::int64_t* queries;  // [B + 1] on the device
  const std::int64_t* keys;     // [B + 1]
  const std::int64_t* weights;  // [B], the first of each sequence
  float* dScores;               // [pairs]
  float* dVs;                   // [M, width]
};

// The sequence of a row: the last b with offsets[b] <= row.
__device__ __forceinline__ std::int64_t sequenceOf(const std::int64_t* offsets, std::int64_t count,
                                                   std::int64_t row) {
  std::int64_t low = 0;
  for (std::int64_t high = count; high - low > 1;) {
    const std::int64_t middle = (low + high) / 2;
    (offsets[middle] <= row ? low : high) = middle;
  }
  return low;
}

// The block's query and the keys that it attends to.
struct Query {
  std::int64_t row, key, keys, live, weight;
  template <class Op>
  __device__ __forceinline__ Query(const Attention<Op>& p, bool causal) : row(blockIdx.x) {
    const std::int64_t b = sequenceOf(p.queries, p.op.queries.count, row);
    const std::int64_t i = row - p.queries[b];
    key = p.keys[b];
    keys = p.keys[b + 1] - key;
    live = causal && i + 1 < keys ? i + 1 : keys;
    weight = p.weights[b] + i * keys;
  }
};

// The block's key and the queries that attend to it. The weight of query i is at weight + i · keys.
struct Key {
  std::int64_t row, query, first, queries, keys, weight;
  template <class Op>
  __device__ __forceinline__ Key(const Attention<Op>& p, bool causal) : row(blockIdx.x) {
    const std::int64_t b = sequenceOf(p.keys, p.op.keys.count, row);
    const std::int64_t j = row - p.keys[b];
    query = p.queries[b];
    queries = p.queries[b + 1] - query;
    first = causal ? j : 0;
    keys = p.keys[b + 1] - p.keys[b];
    weight = p.weights[b] + j;
  }
};

// f(a) summed over a < count by a warp.
template <class F>
__device__ __forceinline__ float warpSum(std::int64_t count, F f) {
  float total = 0;
  for (std::int64_t a = threadIdx.x % 32; a < count; a += 32) total = f(a, total);
  return warpReduce(total, [](float x, float y) { return x + y; });
}

// Weights and context of the block's query, from score(j), which a warp computes.
template <class Op, class Score>
__device__ __forceinline__ void attend(const Attention<Op>& p, const Query& own, Score score) {
  float* const weights = p.op.weights + own.weight;
  for (std::int64_t j = threadIdx.x / 32; j < own.live; j += kWarps) {
    const float x = score(j);
    if (threadIdx.x % 32 == 0) weights[j] = x;
  }
  __syncthreads();
  float largest = -INFINITY, total = 0;
  for (std::int64_t j = threadIdx.x; j < own.live; j += kThreads)
    largest = Accurate::max(largest, weights[j]);
  largest = blockReduce(largest, [](float a, float b) { return Accurate::max(a, b); });
  for (std::int64_t j = threadIdx.x; j < own.live; j += kThreads) total += expf(weights[j] - largest);
  total = blockSum(total);
  for (std::int64_t j = threadIdx.x; j < own.keys; j += kThreads)
    weights[j] = j < own.live ? expf(weights[j] - largest) / total : 0.0f;
  __syncthreads();
  for (std::int64_t c = threadIdx.x; c < p.op.columns; c += kThreads) {
    float sum = 0;
    for (std::int64_t j = 0; j < own.live; j++)
      sum = fmaf(weights[j], p.op.values[(own.key + j) * p.op.columns + c], sum);
    p.op.context[own.row * p.op.columns + c] = sum;
  }
}

// budget: 64 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) dotAttentionKernel(const Attention<DotAttention> p) {
  const Query own(p, p.op.causal);
  const float* const query = p.op.query + own.row * p.op.width;
  attend(p, own, [&](std::int64_t j) {
    const float* const key = p.op.key + (own.key + j) * p.op.width;
    return p.op.scale *
           warpSum(p.op.width, [&](std::int64_t a, float sum) { return fmaf(query[a], key[a], sum); });
  });
}

// budget: 64 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) additiveAttentionKernel(const Attention<AdditiveAttention> p) {
  const Query own(p, false);
  const float* const query = p.op.query + own.row * p.op.width;
  attend(p, own, [&](std::int64_t j) {
    const float* const key = p.op.key + (own.key + j) * p.op.width;
    return warpSum(p.op.width, [&](std::int64_t a, float sum) {
      return fmaf(p.op.v[a], Accurate::tanh(query[a] + key[a]), sum);
    });
  });
}

// The gradients of the scores of the block's query, `scale` times. All threads may read them afterwards.
template <class Op>
__device__ __forceinline__ const float* scoreGradients(const Attention<Op>& p, const Query& own,
                                                       float scale) {
  float* const d = p.dScores + own.weight;
  const float *const weights = p.op.weights + own.weight, *const dContext =
                                                              p.op.dContext + own.row * p.op.columns;
  for (std::int64_t j = threadIdx.x / 32; j < own.live; j += kWarps) {
    const float* const values = p.op.values + (own.key + j) * p.op.columns;
    const float x =
        warpSum(p.op.columns, [&](std::int64_t c, float sum) { return fmaf(dContext[c], values[c], sum); });
    if (threadIdx.x % 32 == 0) d[j] = x;
  }
  __syncthreads();
  float total = 0;
  for (std::int64_t j = threadIdx.x; j < own.live; j += kThreads) total = fmaf(weights[j], d[j], total);
  total = blockSum(total);
  for (std::int64_t j = threadIdx.x; j < own.keys; j += kThreads)
    d[j] = j < own.live ? scale * (weights[j] * (d[j] - total)) : 0.0f;
  __syncthreads();
  return d;
}

// budget: 64 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads)
    dotAttentionQueriesKernel(const Attention<DotAttentionBackward> p) {
  const Query own(p, p.op.causal);
  const float* const d = scoreGradients(p, own, p.op.scale);
  if (p.op.dQuery == nullptr) return;
  for (std::int64_t a = threadIdx.x; a < p.op.width; a += kThreads) {
    float sum = 0;
    for (std::int64_t j = 0; j < own.live; j++)
      sum = fmaf(d[j], p.op.key[(own.key + j) * p.op.width + a], sum);
    p.op.dQuery[own.row * p.op.width + a] = sum;
  }
}

// budget: 64 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads)
    additiveAttentionQueriesKernel(const Attention<AdditiveAttentionBackward> p) {
  const Query own(p, false);
  const float* const d = scoreGradients(p, own, 1.0f);
  if (p.op.dQuery == nullptr && p.dVs == nullptr) return;
  for (std::int64_t a = threadIdx.x; a < p.op.width; a += kThreads) {
    const float query = p.op.query[own.row * p.op.width + a], v = p.op.v[a];
    float dQuery = 0, dV = 0;
    for (std::int64_t j = 0; j < own.keys; j++) {
      const float u = Accurate::tanh(query + p.op.key[(own.key + j) * p.op.width + a]);
      dQuery = fmaf(d[j], v * (1.0f - u * u), dQuery);
      dV = fmaf(d[j], u, dV);
    }
    if (p.op.dQuery != nullptr) p.op.dQuery[own.row * p.op.width + a] = dQuery;
    if (p.dVs != nullptr) p.dVs[own.row * p.op.width + a] = dV;
  }
}

// out[key, c] = Σ_i factors[i, key] term(i, c), over the queries i that attend to the block's key.
template <class Term>
__device__ __forceinline__ void sumOfQueries(const Key& own, const float* factors, std::int64_t columns,
                                             float* out, Term term) {
  if (out == nullptr) return;
  for (std::int64_t c = threadIdx.x; c < columns; c += kThreads) {
    float sum = 0;
    for (std::int64_t i = own.first; i < own.queries; i++)
      sum = fmaf(factors[own.weight + i * own.keys], term(i, c), sum);
    out[own.row * columns + c] = sum;
  }
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) dotAttentionKeysKernel(const Attention<DotAttentionBackward> p) {
  const Key own(p, p.op.causal);
  sumOfQueries(own, p.dScores, p.op.width, p.op.dKey,
               [&](std::int64_t i, std::int64_t a) { return p.op.query[(own.query + i) * p.op.width + a]; });
  sumOfQueries(own, p.op.weights, p.op.columns, p.op.dValues, [&](std::int64_t i, std::int64_t c) {
    return p.op.dContext[(own.query + i) * p.op.columns + c];
  });
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads)
    additiveAttentionKeysKernel(const Attention<AdditiveAttentionBackward> p) {
  const Key own(p, false);
  sumOfQueries(own, p.dScores, p.op.width, p.op.dKey, [&](std::int64_t i, std::int64_t a) {
    const float u =
        Accurate::tanh(p.op.query[(own.query + i) * p.op.width + a] + p.op.key[own.row * p.op.width + a]);
    return p.op.v[a] * (1.0f - u * u);
  });
  sumOfQueries(own, p.op.weights, p.op.columns, p.op.dValues, [&](std::int64_t i, std::int64_t c) {
    return p.op.dContext[(own.query + i) * p.op.columns + c];
  });
}

// The offsets of queries and keys and the first weights, for one upload.
template <class Op>
std::vector<std::int64_t> offsetsOf(const Op& op) {
  const std::int64_t count = op.queries.count;
  std::vector<std::int64_t> offsets(op.queries.offsets, op.queries.offsets + count + 1);
  offsets.insert(offsets.end(), op.keys.offsets, op.keys.offsets + count + 1);
  std::int64_t weight = 0;
  for (std::int64_t b = 0; b < count; b++) {
    offsets.push_back(weight);
    weight += (offsets[b + 1] - offsets[b]) * (offsets[count + b + 2] - offsets[count + b + 1]);
  }
  return offsets;
}
template <class Op>
Attention<Op> attentionOf(const Op& op, const std::int64_t* offsets) {
  return {op,      offsets, offsets + op.queries.count + 1, offsets + 2 * (op.queries.count + 1),
          nullptr, nullptr};
}
template <class Op>
void launchRows(CudaBackend& backend, void (*kernel)(Attention<Op>), std::int64_t rows,
                const Attention<Op>& p) {
  launch(backend.stream(), kernel, dim3(static_cast<unsigned>(rows)), kThreads, 0, p);
}

}  // namespace

template <>
void run(CudaBackend& backend, const DotAttention& a) {
  Scratch<std::int64_t> offsets(backend, offsetsOf(a));
  launchRows(backend, dotAttentionKernel, a.M(), attentionOf(a, offsets));
}
template <>
void run(CudaBackend& backend, const DotAttentionBackward& a) {
  Scratch<std::int64_t> offsets(backend, offsetsOf(a));
  Scratch<float> dScores(backend, a.pairs());
  Attention<DotAttentionBackward> p = attentionOf(a, offsets);
  p.dScores = dScores;
  launchRows(backend, dotAttentionQueriesKernel, a.M(), p);
  if (a.dKey != nullptr || a.dValues != nullptr) launchRows(backend, dotAttentionKeysKernel, a.N(), p);
}
template <>
void run(CudaBackend& backend, const AdditiveAttention& a) {
  Scratch<std::int64_t> offsets(backend, offsetsOf(a));
  launchRows(backend, additiveAttentionKernel, a.M(), attentionOf(a, offsets));
}
template <>
void run(CudaBackend& backend, const AdditiveAttentionBackward& a) {
  Scratch<std::int64_t> offsets(backend, offsetsOf(a));
  Scratch<float> dScores(backend, a.pairs()), dVs(backend, a.dV == nullptr ? 0 : a.M() * a.width);
  Attention<AdditiveAttentionBackward> p = attentionOf(a, offsets);
  p.dScores = dScores;
  p.dVs = dVs;
  launchRows(backend, additiveAttentionQueriesKernel, a.M(), p);
  if (a.dKey != nullptr || a.dValues != nullptr) launchRows(backend, additiveAttentionKeysKernel, a.N(), p);
  if (a.dV != nullptr) sumColumns(backend, p.dVs, a.M(), a.width, a.width, a.dV);
}

}  // namespace packed_rnn::cuda
