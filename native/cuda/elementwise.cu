// Functions of each element, fills and sums.
#include "cuda_backend.h"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kChunk = 4096;  // elements of a block

template <Elementwise function>
__device__ __forceinline__ float apply(float a, float b) {
  switch (function) {
    case Elementwise::copy:
      return a;
    case Elementwise::add:
      return a + b;
    case Elementwise::multiply:
    case Elementwise::scale:
      return a * b;
    case Elementwise::tanh:
      return Accurate::tanh(a);
    case Elementwise::sigmoid:
      return Accurate::sigmoid(a);
    case Elementwise::relu:
      return Accurate::positive(a, a);
    case Elementwise::tanhBackward:
      return b * (1.0f - a * a);
    case Elementwise::sigmoidBackward:
      return b * a * (1.0f - a);
    case Elementwise::reluBackward:
      return Accurate::positive(a, b);
  }
  return 0;
}

// budget: 40 registers, 0 KB shared
template <Elementwise function>
__global__ void __launch_bounds__(kThreads) elementwiseKernel(const ApplyElementwise p) {
  const std::int64_t end = min((blockIdx.x + 1) * kChunk, p.count);
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) {
    const bool one = function == Elementwise::scale;
    p.out[i] = apply<function>(p.a[i], p.b == nullptr ? 0.0f : p.b[one ? 0 : i]);
  }
}

// budget: 24 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) fillKernel(const Fill p) {
  const float value = p.from == nullptr ? p.value : p.from[0];
  const std::int64_t end = min((blockIdx.x + 1) * kChunk, p.count);
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) p.out[i] = value;
}

// One partial sum a block of the first launch; one block adds those in the second.
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

void CudaBackend::elementwise(const ApplyElementwise& a) {
  const auto run = [&](void (*kernel)(ApplyElementwise)) {
    launch(stream(), kernel, dim3(blocksFor(a.count, kChunk)), kThreads, 0, a);
  };
  switch (a.function) {
    case Elementwise::copy:
      return run(elementwiseKernel<Elementwise::copy>);
    case Elementwise::add:
      return run(elementwiseKernel<Elementwise::add>);
    case Elementwise::multiply:
      return run(elementwiseKernel<Elementwise::multiply>);
    case Elementwise::scale:
      return run(elementwiseKernel<Elementwise::scale>);
    case Elementwise::tanh:
      return run(elementwiseKernel<Elementwise::tanh>);
    case Elementwise::sigmoid:
      return run(elementwiseKernel<Elementwise::sigmoid>);
    case Elementwise::relu:
      return run(elementwiseKernel<Elementwise::relu>);
    case Elementwise::tanhBackward:
      return run(elementwiseKernel<Elementwise::tanhBackward>);
    case Elementwise::sigmoidBackward:
      return run(elementwiseKernel<Elementwise::sigmoidBackward>);
    case Elementwise::reluBackward:
      return run(elementwiseKernel<Elementwise::reluBackward>);
  }
}

void CudaBackend::fill(const Fill& a) {
  launch(stream(), fillKernel, dim3(blocksFor(a.count, kChunk)), kThreads, 0, a);
}

void CudaBackend::sum(const Sum& a) {
  const unsigned blocks = blocksFor(a.count, kChunk);
  if (blocks <= 1) return launch(stream(), sumKernel, dim3(1), kThreads, 0, a);
  Scratch<float> parts(*this, blocks);
  launch(stream(), sumKernel, dim3(blocks), kThreads, 0, Sum{a.count, a.values, parts});
  launch(stream(), sumKernel, dim3(1), kThreads, 0, Sum{blocks, parts, a.out});
}

}  // namespace packed_rnn::cuda
