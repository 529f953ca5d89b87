// From the rows of each sequence to one row, and the reverse.
#include "cuda_backend.h"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

namespace {

// A block has 32 columns of one sequence. Each of its warps takes every eighth row.
constexpr unsigned kThreads = 256;
constexpr int kWarps = kThreads / 32;

template <class Op>
struct Pool {
  Op op;
  const std::int32_t* offsets;  // [B + 1] on the device
};

template <class Op>
struct Strip {
  std::int32_t begin, end;
  std::int64_t sequence, column;
  int warp, lane;
  bool inside;
  __device__ __forceinline__ explicit Strip(const Pool<Op>& p)
      : begin(p.offsets[blockIdx.x]),
        end(p.offsets[blockIdx.x + 1]),
        sequence(blockIdx.x),
        column(static_cast<std::int64_t>(blockIdx.y) * 32 + threadIdx.x % 32),
        warp(threadIdx.x / 32),
        lane(threadIdx.x % 32),
        inside(column < p.op.columns) {}
};

// Whether x at row n replaces the largest so far at row `place`. NaN is larger than every number, and the
// first of equal values wins.
__device__ __forceinline__ bool takes(float x, std::int32_t n, float largest, std::int32_t place) {
  if (place < 0) return true;
  const bool nan = x != x, wasNan = largest != largest;
  if (nan != wasNan) return nan;
  return (!nan && x > largest) || ((nan || x == largest) && n < place);
}

// budget: 40 registers, 4 KB shared
__global__ void __launch_bounds__(kThreads) segmentMaxKernel(const Pool<SegmentReduce> p) {
  float* const values = sharedArray<float, kThreads, 0>();
  std::int32_t* const places = sharedArray<std::int32_t, kThreads, 1>();
  const Strip<SegmentReduce> s(p);
  float largest = 0;
  std::int32_t place = -1;
  for (std::int64_t n = s.begin + s.warp; s.inside && n < s.end; n += kWarps) {
    const float x = p.op.rows[n * p.op.columns + s.column];
    const auto row = static_cast<std::int32_t>(n);
    if (!takes(x, row, largest, place)) continue;
    largest = x;
    place = row;
  }
  values[threadIdx.x] = largest;
  places[threadIdx.x] = place;
  __syncthreads();
  if (s.warp > 0 || !s.inside) return;
  for (int w = 1; w < kWarps; w++) {
    const int i = w * 32 + s.lane;
    if (places[i] < 0 || !takes(values[i], places[i], largest, place)) continue;
    largest = values[i];
    place = places[i];
  }
  p.op.out[s.sequence * p.op.columns + s.column] = largest;
  if (p.op.places != nullptr) p.op.places[s.sequence * p.op.columns + s.column] = place;
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) segmentPlaceKernel(const Pool<SegmentPlace> p) {
  const Strip<SegmentPlace> s(p);
  if (!s.inside || s.begin == s.end) return;
  const std::int64_t at = s.sequence * p.op.columns + s.column;
  const std::int32_t place = p.op.places[at];
  const float value = p.op.values[at];
  for (std::int64_t n = s.begin + s.warp; n < s.end; n += kWarps) {
    p.op.rows[n * p.op.columns + s.column] = n == place ? value : 0.0f;
  }
}

// budget: 40 registers, 2 KB shared
__global__ void __launch_bounds__(kThreads) segmentSumKernel(const Pool<SegmentReduce> p) {
  float* const parts = sharedArray<float, kThreads, 0>();
  const Strip<SegmentReduce> s(p);
  float total = 0;
  for (std::int64_t n = s.begin + s.warp; s.inside && n < s.end; n += kWarps) {
    total += p.op.rows[n * p.op.columns + s.column];
  }
  parts[threadIdx.x] = total;
  __syncthreads();
  if (s.warp > 0 || !s.inside) return;
  for (int w = 1; w < kWarps; w++) total += parts[w * 32 + s.lane];
  const bool divides = p.op.pooling == Pooling::mean && s.begin != s.end;
  p.op.out[s.sequence * p.op.columns + s.column] =
      divides ? total / static_cast<float>(s.end - s.begin) : total;
  // There is no maximum.
  if (p.op.places != nullptr) p.op.places[s.sequence * p.op.columns + s.column] = -1;
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) segmentRepeatKernel(const Pool<SegmentRepeat> p) {
  const Strip<SegmentRepeat> s(p);
  if (!s.inside || s.begin == s.end) return;
  float value = p.op.values[s.sequence * p.op.columns + s.column];
  if (p.op.mean) value = value / static_cast<float>(s.end - s.begin);
  for (std::int64_t n = s.begin + s.warp; n < s.end; n += kWarps)
    p.op.rows[n * p.op.columns + s.column] = value;
}

template <class Op>
void launchPool(CudaBackend& backend, void (*kernel)(Pool<Op>), const Op& op) {
  const std::vector<std::int32_t> host(op.sequences.offsets, op.sequences.offsets + op.sequences.count + 1);
  Scratch<std::int32_t> offsets(backend, host);
  const dim3 grid(static_cast<unsigned>(op.sequences.count), blocksFor(op.columns, 32));
  launch(backend.stream(), kernel, grid, kThreads, 0, Pool<Op>{op, offsets});
}

}  // namespace

template <>
void run(CudaBackend& backend, const SegmentReduce& a) {
  launchPool(backend, a.pooling == Pooling::max ? segmentMaxKernel : segmentSumKernel, a);
}
template <>
void run(CudaBackend& backend, const SegmentRepeat& a) {
  launchPool(backend, segmentRepeatKernel, a);
}
template <>
void run(CudaBackend& backend, const SegmentPlace& a) {
  launchPool(backend, segmentPlaceKernel, a);
}

}  // namespace packed_rnn::cuda
