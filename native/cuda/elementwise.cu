// Elementwise functions, copies between any layouts, and fills.
#include "cuda_backend.h"
#include "functions.h"
#include "math.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kChunk = 4096;  // elements of a block

// The place of an operand's element.
struct Lying {
  const float* data;
  float number;
  std::int64_t strides[4];
};
struct Walk {
  Function function;
  std::int64_t count;
  bool flat;  // each operand has the result's layout, or is one number
  std::int64_t shape[4];
  Lying operands[3];
  float* out;
};

struct Index4 {
  std::int64_t at[4];
};
__device__ __forceinline__ Index4 indexOf(std::int64_t i, const std::int64_t (&shape)[4]) {
  Index4 index;
#pragma unroll
  for (int d = 3; d > 0; d--) {
    index.at[d] = i % shape[d];
    i /= shape[d];
  }
  index.at[0] = i;
  return index;
}
__device__ __forceinline__ std::int64_t placeOf(const Index4& index, const std::int64_t (&strides)[4]) {
  std::int64_t place = 0;
#pragma unroll
  for (int d = 0; d < 4; d++) place += index.at[d] * strides[d];
  return place;
}

template <int... function>
__device__ __forceinline__ float applyAny(Function which, float a, float b, float c,
                                          std::integer_sequence<int, function...>) {
  float result = a;
  // All threads take the same branch.
  ((which == static_cast<Function>(function)
        ? void(result = Functions<Accurate>::apply<static_cast<Function>(function)>(a, b, c))
        : void()),
   ...);
  return result;
}

// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) elementwiseKernel(const Walk p) {
  const std::int64_t end = min((blockIdx.x + 1) * kChunk, p.count);
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) {
    float operand[3];
    const Index4 index = p.flat ? Index4{{0, 0, 0, i}} : indexOf(i, p.shape);
#pragma unroll
    for (int o = 0; o < 3; o++) {
      const Lying& of = p.operands[o];
      operand[o] = of.data == nullptr ? of.number : of.data[placeOf(index, of.strides)];
    }
    p.out[i] = applyAny(p.function, operand[0], operand[1], operand[2],
                        std::make_integer_sequence<int, valuesOf<Function>()>{});
  }
}

struct Copy {
  std::int64_t count;
  std::int64_t shape[4], sourceStrides[4], destinationStrides[4];
  const float* source;
  float* destination;
};
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) copyStridedKernel(const Copy p) {
  const std::int64_t end = min((blockIdx.x + 1) * kChunk, p.count);
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) {
    const Index4 index = indexOf(i, p.shape);
    p.destination[placeOf(index, p.destinationStrides)] = p.source[placeOf(index, p.sourceStrides)];
  }
}

// budget: 24 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) fillKernel(const Fill p) {
  const float value = p.from == nullptr ? p.value : p.from[0];
  const std::int64_t end = min((blockIdx.x + 1) * kChunk, p.count);
  for (std::int64_t i = blockIdx.x * kChunk + threadIdx.x; i < end; i += kThreads) p.out[i] = value;
}

// Whether the loop needs no index for an operand: it has the result's layout or is one number.
bool lieFlat(const Elementwise& a) {
  const float* const data[] = {a.a, a.b, a.c};
  const Four* const strides[] = {&a.stridesA, &a.stridesB, &a.stridesC};
  for (int o = 0; o < 3; o++) {
    bool same = true, inLine = true;
    std::int64_t next = 1;
    for (int d = 3; d >= 0; d--) {
      const bool matters = data[o] != nullptr && a.shape.at[d] > 1;
      same = same && (!matters || strides[o]->at[d] == 0);
      inLine = inLine && (!matters || strides[o]->at[d] == next);
      next *= a.shape.at[d];
    }
    if (!same && !inLine) return false;
  }
  return true;
}

}  // namespace

template <>
void run(CudaBackend& backend, const Elementwise& a) {
  Walk walk{a.function, a.count(), lieFlat(a), {}, {}, a.out};
  const float* const data[] = {a.a, a.b, a.c};
  const Four* const strides[] = {&a.stridesA, &a.stridesB, &a.stridesC};
  const float numbers[] = {a.numberA, a.numberB, a.numberC};
  for (int d = 0; d < 4; d++) walk.shape[d] = a.shape.at[d];
  for (int o = 0; o < 3; o++) {
    Lying& of = walk.operands[o];
    of.data = data[o];
    of.number = numbers[o];
    bool any = false;
    for (int d = 0; d < 4; d++) {
      of.strides[d] = strides[o]->at[d];
      any = any || (a.shape.at[d] > 1 && of.strides[d] != 0);
    }
    // If flat, the result's index is the only one.
    if (walk.flat) of.strides[3] = any ? 1 : 0;
  }
  launch(backend.stream(), elementwiseKernel, dim3(blocksFor(walk.count, kChunk)), kThreads, 0, walk);
}

template <>
void run(CudaBackend& backend, const CopyStrided& a) {
  Copy copy{1, {}, {}, {}, a.source + a.sourceFirst, a.destination + a.destinationFirst};
  for (int d = 0; d < 4; d++) {
    copy.count *= a.shape.at[d];
    copy.shape[d] = a.shape.at[d];
    copy.sourceStrides[d] = a.sourceStrides.at[d];
    copy.destinationStrides[d] = a.destinationStrides.at[d];
  }
  launch(backend.stream(), copyStridedKernel, dim3(blocksFor(copy.count, kChunk)), kThreads, 0, copy);
}

template <>
void run(CudaBackend& backend, const Fill& a) {
  launch(backend.stream(), fillKernel, dim3(blocksFor(a.count, kChunk)), kThreads, 0, a);
}

}  // namespace packed_rnn::cuda
