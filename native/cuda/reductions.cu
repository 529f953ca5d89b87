// Reductions, cumulative ops and topK.
#include "cuda_backend.h"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kChunk = 4096;  // elements of a block

// The first launch makes one partial sum for each block; in the second, one block adds them.
// budget: 48 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) sumKernel(const Sum p) {
  const bool parts = gridDim.x > 1;
  const std::int64_t end = parts ? min((blockIdx.x + 1) * kChunk, p.count) : p.count;
  float total = 0;
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) total += p.values[i];
  total = blockSum(total);
  if (threadIdx.x == 0) p.out[blockIdx.x] = total;
}

}  // namespace

template <>
void run(CudaBackend& backend, const Sum& a) {
  const unsigned blocks = blocksFor(a.count, kChunk);
  if (blocks <= 1) return launch(backend.stream(), sumKernel, dim3(1), kThreads, 0, a);
  Scratch<float> parts(backend, blocks);
  launch(backend.stream(), sumKernel, dim3(blocks), kThreads, 0, Sum{a.count, a.values, parts});
  launch(backend.stream(), sumKernel, dim3(1), kThreads, 0, Sum{blocks, parts, a.out});
}

namespace {

struct Best {
  float value;
  std::int64_t place;
};
// Whether b replaces a: it is better, or equal and earlier; NaN wins.
__device__ __forceinline__ bool takes(const Best& a, const Best& b, bool largest) {
  if (a.place < 0 || b.place < 0) return a.place < 0;
  const bool nanA = a.value != a.value, nanB = b.value != b.value;
  if (nanA != nanB) return nanB;
  if (!nanA && a.value != b.value) return largest ? b.value > a.value : b.value < a.value;
  return b.place < a.place;
}
__device__ __forceinline__ Best betterOf(const Best& a, const Best& b, bool largest) {
  return takes(a, b, largest) ? b : a;
}
__device__ __forceinline__ Best bestOfWarp(Best best, bool largest) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const Best other = {__shfl_xor_sync(0xffffffffu, best.value, distance),
                        __shfl_xor_sync(0xffffffffu, best.place, distance)};
    best = betterOf(best, other, largest);
  }
  return best;
}

constexpr int kWarps = kThreads / 32;

// A warp computes one result: lane l has the numbers j = l, l + 32, …
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) reduceKernel(const Reduce p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (i >= p.outer * p.inner) return;
  const float* const from = p.x + i / p.inner * p.n * p.inner + i % p.inner;
  const bool sums = p.reduction == Reduction::sum || p.reduction == Reduction::sumOfSquares;
  const bool largest = p.reduction == Reduction::max;
  double total = 0;
  Best best = {largest ? -INFINITY : INFINITY, -1};
  for (std::int64_t j = threadIdx.x % 32; j < p.n; j += 32) {
    const float x = from[j * p.inner];
    if (sums) {
      total += static_cast<double>(p.reduction == Reduction::sum ? x : x * x);
    } else {
      best = betterOf(best, {x, j}, largest);
    }
  }
  total = warpReduce(total, [](double a, double b) { return a + b; });
  best = bestOfWarp(best, largest);
  if (threadIdx.x % 32 != 0) return;
  p.y[i] = p.scale * (sums ? static_cast<float>(total) : best.value);
  if (p.places != nullptr) p.places[i] = static_cast<std::int32_t>(best.place);
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) cumulativeSumKernel(const CumulativeSum p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outer * p.inner) return;
  const std::int64_t first = i / p.inner * p.n * p.inner + i % p.inner;
  double total = 0;
  for (std::int64_t j = 0; j < p.n; j++) {
    const std::int64_t at = first + (p.reversed ? p.n - 1 - j : j) * p.inner;
    total += static_cast<double>(p.x[at]);
    p.y[at] = static_cast<float>(total);
  }
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) cumulativeMaxKernel(const CumulativeMax p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outer * p.inner) return;
  const std::int64_t first = i / p.inner * p.n * p.inner + i % p.inner;
  float largest = 0;
  std::int64_t place = -1;
  for (std::int64_t j = 0; j < p.n; j++) {
    const std::int64_t at = first + j * p.inner;
    const float x = p.x[at];
    if (place < 0 || x >= largest || x != x) {
      largest = x;
      place = j;
    }
    p.y[at] = largest;
    p.places[at] = static_cast<std::int32_t>(place);
  }
}

// One warp for each row: the best element, then the best of the rest, and so on.
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) topKKernel(const TopK p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= p.rows) return;
  const float* const x = p.x + row * p.columns;
  // NaN is the largest: it comes first of the largest and last of the smallest.
  const auto rank = [&](float value) {
    return value == value ? (p.largest ? value : -value) : (p.largest ? INFINITY : -INFINITY);
  };
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const bool nanA = x[a] != x[a], nanB = x[b] != x[b];
    if (nanA != nanB) return nanA == p.largest;
    if (!nanA && x[a] != x[b]) return rank(x[a]) > rank(x[b]);
    return a < b;
  };
  std::int64_t last = -1;
  for (std::int64_t taken = 0; taken < p.k; taken++) {
    std::int64_t best = -1;
    for (std::int64_t c = threadIdx.x % 32; c < p.columns; c += 32) {
      if (last >= 0 && !before(last, c)) continue;
      if (best < 0 || before(c, best)) best = c;
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      const std::int64_t other = __shfl_xor_sync(0xffffffffu, best, distance);
      if (best < 0 || (other >= 0 && before(other, best))) best = other;
    }
    last = best;
    if (threadIdx.x % 32 != 0) continue;
    p.values[row * p.k + taken] = x[best];
    p.places[row * p.k + taken] = static_cast<std::int32_t>(best);
  }
}

}  // namespace

template <>
void run(CudaBackend& backend, const Reduce& a) {
  launch(backend.stream(), reduceKernel, dim3(blocksFor(a.outer * a.inner, kWarps)), kThreads, 0, a);
}
template <>
void run(CudaBackend& backend, const CumulativeSum& a) {
  launch(backend.stream(), cumulativeSumKernel, dim3(blocksFor(a.outer * a.inner, kThreads)), kThreads, 0, a);
}
template <>
void run(CudaBackend& backend, const CumulativeMax& a) {
  launch(backend.stream(), cumulativeMaxKernel, dim3(blocksFor(a.outer * a.inner, kThreads)), kThreads, 0, a);
}
template <>
void run(CudaBackend& backend, const TopK& a) {
  launch(backend.stream(), topKKernel, dim3(blocksFor(a.rows, kWarps)), kThreads, 0, a);
}

}  // namespace packed_rnn::cuda
