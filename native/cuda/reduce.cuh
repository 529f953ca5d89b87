// Sums over a block in an order that depends only on its size.
#pragma once

#include "tensor_core.cuh"

namespace packed_rnn::cuda {

// All lanes get the same result.
template <class T, class F>
__device__ __forceinline__ T warpReduce(T value, F f) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = f(value, __shfl_xor_sync(0xffffffffu, value, distance));
  }
  return value;
}

// All threads get the same result. Every thread of the block must call it, in whole warps.
template <class T, class F>
__device__ __forceinline__ T blockReduce(T value, F f) {
  T* const parts = sharedArray<T, 32, sizeof(T)>();
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  value = warpReduce(value, f);
  __syncthreads();  // other threads may still read the parts of the previous call
  if (lane == 0) parts[warp] = value;
  __syncthreads();
  value = parts[0];
  for (int w = 1; w < warps; w++) value = f(value, parts[w]);
  return value;
}

template <class T>
__device__ __forceinline__ T blockSum(T value) {
  return blockReduce(value, [](T a, T b) { return a + b; });
}

}  // namespace packed_rnn::cuda
