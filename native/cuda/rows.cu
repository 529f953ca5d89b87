// Rows by index, and sums over rows.
#include "cuda_backend.h"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int kWarps = kThreads / 32;

// One warp copies a row. checkRange reports indices out of range; this kernel only has to stay in bounds.
// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) gatherRowsKernel(const GatherRows p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= p.rows) return;
  const std::int64_t from = p.index[row];
  const bool inside = from >= 0 && from < p.sourceRows;
  for (std::int64_t c = threadIdx.x % 32; c < p.columns; c += 32) {
    p.destination[row * p.columns + c] = inside ? p.source[from * p.columns + c] : p.fill;
  }
}

// Sums of rows. One warp adds the places of one row, four columns a lane. A row may have more
// than kMany places: a comma occurs a thousand times in a batch of words. Then each of the block's warps adds
// every eighth place, and their sums are added in order. The order depends only on the number of places.
constexpr std::int32_t kMany = 64;
constexpr int kAcross = 128;  // columns of a block

__device__ __forceinline__ void addPlaces(const SumRows& p, std::int32_t begin, std::int32_t end,
                                          std::int32_t stride, float (&total)[4]) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kAcross + threadIdx.x % 32;
  for (std::int32_t i = begin; i < end; i += stride) {
    const float* const from = p.source + p.order[i] * p.columns + column;
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (column + 32 * e < p.columns) total[e] += from[32 * e];
    }
  }
}

// budget: 64 registers, 4 KB shared
__global__ void __launch_bounds__(kThreads) sumRowsKernel(const SumRows p) {
  float* const parts = sharedArray<float, kWarps * kAcross, 0>();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kWarps;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kAcross;
  if (first + warp < p.rows) {
    const std::int32_t begin = p.starts[first + warp], end = p.starts[first + warp + 1];
    float total[4] = {};
    if (end - begin <= kMany) {
      addPlaces(p, begin, end, 1, total);
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const std::int64_t c = column + lane + 32 * e;
        if (c < p.columns) p.destination[(first + warp) * p.columns + c] = total[e];
      }
    }
  }
  for (std::int64_t row = first; row < min(first + kWarps, p.rows); row++) {
    const std::int32_t begin = p.starts[row], end = p.starts[row + 1];
    if (end - begin <= kMany) continue;
    float total[4] = {};
    addPlaces(p, begin + warp, end, kWarps, total);
#pragma unroll
    for (int e = 0; e < 4; e++) parts[warp * kAcross + lane + 32 * e] = total[e];
    __syncthreads();  // the parts are complete
    const int own = threadIdx.x;
    if (own < kAcross && column + own < p.columns) {
      float sum = parts[own];
      for (int w = 1; w < kWarps; w++) sum += parts[w * kAcross + own];
      p.destination[row * p.columns + column + own] = sum;
    }
    __syncthreads();  // all parts have been read
  }
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) addRowsKernel(const AddRows p) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= p.rows || p.index[row] < 0 || p.index[row] >= p.destinationRows) return;
  const std::int64_t to = p.index[row];
  for (std::int64_t c = threadIdx.x % 32; c < p.columns; c += 32) {
    p.destination[to * p.columns + c] += p.source[row * p.columns + c];
  }
}

struct ColumnSums {
  const float* source;
  std::int64_t rows, columns, stride;
  float* sums;  // [slices, columns]
};

// A block sums a slice of the rows of 32 columns. Each warp takes every eighth row.
constexpr std::int64_t kSlice = 256;
// budget: 56 registers, 2 KB shared
__global__ void __launch_bounds__(kThreads) sumColumnsKernel(const ColumnSums p) {
  float* const parts = sharedArray<float, kWarps * 32, 0>();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * 32 + lane;
  const std::int64_t begin = blockIdx.x * kSlice;
  const std::int64_t end = gridDim.x == 1 ? p.rows : min(begin + kSlice, p.rows);
  float total = 0;
  if (column < p.columns) {
    for (std::int64_t r = begin + warp; r < end; r += kWarps) total += p.source[r * p.stride + column];
  }
  parts[threadIdx.x] = total;
  __syncthreads();
  if (warp > 0 || column >= p.columns) return;
  for (int w = 1; w < kWarps; w++) total += parts[w * 32 + lane];
  p.sums[blockIdx.x * p.columns + column] = total;
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) takeAlongKernel(const TakeAlong p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outer * p.count * p.inner) return;
  const std::int64_t column = i % p.inner, j = i / p.inner % p.count, o = i / p.inner / p.count;
  const std::int64_t from = p.index[p.each ? i : j];
  // checkRange reports indices out of range.
  const bool inside = from >= 0 && from < p.n;
  p.y[i] = inside ? p.x[(o * p.n + from) * p.inner + column] : 0.0f;
}

// One thread for each column, so that each number has one order of additions.
// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) addAlongKernel(const AddAlong p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.outer * p.inner) return;
  const std::int64_t column = i % p.inner, o = i / p.inner;
#pragma unroll 1
  for (std::int64_t j = 0; j < p.count; j++) {
    const std::int64_t at = (o * p.count + j) * p.inner + column;
    const std::int64_t to = p.index[p.each ? at : j];
    if (to >= 0 && to < p.n) p.y[(o * p.n + to) * p.inner + column] += p.x[at];
  }
}

}  // namespace

template <>
void run(CudaBackend& backend, const GatherRows& a) {
  backend.checkRange(2, a.index, a.rows, INT32_MIN, a.sourceRows, INT32_MIN);
  launch(backend.stream(), gatherRowsKernel, dim3(blocksFor(a.rows, kWarps)), kThreads, 0, a);
}

template <>
void run(CudaBackend& backend, const SumRows& a) {
  launch(backend.stream(), sumRowsKernel, dim3(blocksFor(a.rows, kWarps), blocksFor(a.columns, kAcross)),
         kThreads, 0, a);
}

template <>
void run(CudaBackend& backend, const AddRows& a) {
  backend.checkRange(2, a.index, a.rows, INT32_MIN, a.destinationRows, INT32_MIN);
  launch(backend.stream(), addRowsKernel, dim3(blocksFor(a.rows, kWarps)), kThreads, 0, a);
}

void sumColumns(CudaBackend& backend, const float* source, std::int64_t rows, std::int64_t columns,
                std::int64_t stride, float* sums) {
  const unsigned slices = rows <= kSlice ? 1 : blocksFor(rows, kSlice), strips = blocksFor(columns, 32);
  Scratch<float> parts(backend, slices > 1 ? slices * columns : 0);
  launch(backend.stream(), sumColumnsKernel, dim3(slices, strips), kThreads, 0,
         ColumnSums{source, rows, columns, stride, slices > 1 ? parts : sums});
  if (slices == 1) return;
  launch(backend.stream(), sumColumnsKernel, dim3(1, strips), kThreads, 0,
         ColumnSums{parts, slices, columns, columns, sums});
}

template <>
void run(CudaBackend& backend, const SumColumns& a) {
  cuda::sumColumns(backend, a.source, a.rows, a.columns, a.columns, a.sums);
}

template <>
void run(CudaBackend& backend, const TakeAlong& a) {
  backend.checkRange(2, a.index, a.indices(), 0, a.n, INT32_MIN);
  launch(backend.stream(), takeAlongKernel, dim3(blocksFor(a.outer * a.count * a.inner, kThreads)), kThreads,
         0, a);
}

template <>
void run(CudaBackend& backend, const AddAlong& a) {
  backend.checkRange(2, a.index, a.indices(), 0, a.n, INT32_MIN);
  launch(backend.stream(), addAlongKernel, dim3(blocksFor(a.outer * a.inner, kThreads)), kThreads, 0, a);
}

}  // namespace packed_rnn::cuda
