// Softmax over rows and over the tokens of sequences, and layer normalisation.
#include "cuda_backend.h"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int kWarps = kThreads / 32;

// One warp for each row; a lane takes every 32nd number.
__device__ __forceinline__ std::int64_t ownRow() {
  return static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
}
__device__ __forceinline__ float sumOfWarp(float value) {
  return warpReduce(value, [](float a, float b) { return a + b; });
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) softmaxKernel(const Softmax p) {
  const std::int64_t row = ownRow(), lane = threadIdx.x % 32;
  if (row >= p.rows) return;
  const float* const x = p.x + row * p.columns;
  float* const y = p.y + row * p.columns;
  float largest = -INFINITY, total = 0;
  for (std::int64_t c = lane; c < p.columns; c += 32) largest = Accurate::max(largest, x[c]);
  largest = warpReduce(largest, [](float a, float b) { return Accurate::max(a, b); });
  for (std::int64_t c = lane; c < p.columns; c += 32) total += expf(x[c] - largest);
  total = sumOfWarp(total);
  const float logTotal = logf(total);
  for (std::int64_t c = lane; c < p.columns; c += 32)
    y[c] = p.logarithm ? x[c] - largest - logTotal : expf(x[c] - largest) / total;
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) softmaxBackwardKernel(const SoftmaxBackward p) {
  const std::int64_t row = ownRow(), lane = threadIdx.x % 32;
  if (row >= p.rows) return;
  const float *const y = p.y + row * p.columns, *const dY = p.dY + row * p.columns;
  float total = 0;
  for (std::int64_t c = lane; c < p.columns; c += 32) total += p.logarithm ? dY[c] : dY[c] * y[c];
  total = sumOfWarp(total);
  for (std::int64_t c = lane; c < p.columns; c += 32)
    p.dX[row * p.columns + c] = p.logarithm ? dY[c] - expf(y[c]) * total : y[c] * (dY[c] - total);
}

// One warp for a column of a sequence; a lane takes every 32nd row.
template <class Op>
struct Segments {
  Op op;
  const std::int32_t* offsets;  // [B + 1] on the device
};
template <class Op>
struct Segment {
  std::int64_t begin, end, column, columns;
  bool inside;
  __device__ __forceinline__ explicit Segment(const Segments<Op>& p)
      : begin(0), end(0), column(0), columns(p.op.columns), inside(false) {
    const std::int64_t i = ownRow();
    inside = i < p.op.sequences.count * columns;
    if (!inside) return;
    begin = p.offsets[i / columns];
    end = p.offsets[i / columns + 1];
    column = i % columns;
  }
  template <class F>
  __device__ __forceinline__ void each(F f) const {
    for (std::int64_t n = begin + threadIdx.x % 32; n < end; n += 32) f(n * columns + column);
  }
};

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) segmentSoftmaxKernel(const Segments<SegmentSoftmax> p) {
  const Segment<SegmentSoftmax> own(p);
  if (!own.inside) return;
  float largest = -INFINITY, total = 0;
  own.each([&](std::int64_t at) { largest = Accurate::max(largest, p.op.x[at]); });
  largest = warpReduce(largest, [](float a, float b) { return Accurate::max(a, b); });
  own.each([&](std::int64_t at) { total += expf(p.op.x[at] - largest); });
  total = sumOfWarp(total);
  own.each([&](std::int64_t at) { p.op.y[at] = expf(p.op.x[at] - largest) / total; });
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads)
    segmentSoftmaxBackwardKernel(const Segments<SegmentSoftmaxBackward> p) {
  const Segment<SegmentSoftmaxBackward> own(p);
  if (!own.inside) return;
  float total = 0;
  own.each([&](std::int64_t at) { total += p.op.y[at] * p.op.dY[at]; });
  total = sumOfWarp(total);
  own.each([&](std::int64_t at) { p.op.dX[at] = p.op.y[at] * (p.op.dY[at] - total); });
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) layerNormKernel(const LayerNorm p) {
  const std::int64_t row = ownRow(), lane = threadIdx.x % 32;
  if (row >= p.rows) return;
  const float* const x = p.x + row * p.columns;
  const auto columns = static_cast<float>(p.columns);
  float total = 0, squares = 0;
  for (std::int64_t c = lane; c < p.columns; c += 32) total += x[c];
  const float mean = sumOfWarp(total) / columns;
  for (std::int64_t c = lane; c < p.columns; c += 32) squares = fmaf(x[c] - mean, x[c] - mean, squares);
  const float rate = 1.0f / sqrtf(sumOfWarp(squares) / columns + p.epsilon);
  if (lane == 0) {
    p.mean[row] = mean;
    p.rate[row] = rate;
  }
  for (std::int64_t c = lane; c < p.columns; c += 32) {
    float y = (x[c] - mean) * rate;
    if (p.weight != nullptr) y = y * p.weight[c];
    if (p.bias != nullptr) y = y + p.bias[c];
    p.y[row * p.columns + c] = y;
  }
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) layerNormBackwardKernel(const LayerNormBackward p) {
  const std::int64_t row = ownRow(), lane = threadIdx.x % 32, first = row * p.columns;
  if (row >= p.rows) return;
  const float mean = p.mean[row], rate = p.rate[row];
  float total = 0, products = 0;
  for (std::int64_t c = lane; c < p.columns; c += 32) {
    const float d = p.dY[first + c] * (p.weight == nullptr ? 1.0f : p.weight[c]);
    total += d;
    products = fmaf(d, (p.x[first + c] - mean) * rate, products);
  }
  const float meanD = sumOfWarp(total) / static_cast<float>(p.columns);
  const float meanProduct = sumOfWarp(products) / static_cast<float>(p.columns);
  for (std::int64_t c = lane; c < p.columns; c += 32) {
    const float own = (p.x[first + c] - mean) * rate, dY = p.dY[first + c];
    const float d = dY * (p.weight == nullptr ? 1.0f : p.weight[c]);
    if (p.dX != nullptr) p.dX[first + c] = (d - meanD - own * meanProduct) * rate;
    if (p.dWeights != nullptr) p.dWeights[first + c] = dY * own;
  }
}

template <class Op>
void launchRows(CudaBackend& backend, void (*kernel)(Op), std::int64_t rows, const Op& op) {
  launch(backend.stream(), kernel, dim3(blocksFor(rows, kWarps)), kThreads, 0, op);
}
template <class Op>
void launchSegments(CudaBackend& backend, void (*kernel)(Segments<Op>), const Op& op) {
  const std::vector<std::int32_t> host(op.sequences.offsets, op.sequences.offsets + op.sequences.count + 1);
  Scratch<std::int32_t> offsets(backend, host);
  launchRows(backend, kernel, op.sequences.count * op.columns, Segments<Op>{op, offsets});
}

}  // namespace

template <>
void run(CudaBackend& backend, const Softmax& a) {
  launchRows(backend, softmaxKernel, a.rows, a);
}
template <>
void run(CudaBackend& backend, const SoftmaxBackward& a) {
  launchRows(backend, softmaxBackwardKernel, a.rows, a);
}
template <>
void run(CudaBackend& backend, const SegmentSoftmax& a) {
  launchSegments(backend, segmentSoftmaxKernel, a);
}
template <>
void run(CudaBackend& backend, const SegmentSoftmaxBackward& a) {
  launchSegments(backend, segmentSoftmaxBackwardKernel, a);
}
template <>
void run(CudaBackend& backend, const LayerNorm& a) {
  launchRows(backend, layerNormKernel, a.rows, a);
}
template <>
void run(CudaBackend& backend, const LayerNormBackward& a) {
  launchRows(backend, layerNormBackwardKernel, a.rows, a);
}

}  // namespace packed_rnn::cuda
