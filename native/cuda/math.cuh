// The math policies of cells.h in a CUDA thread.
#pragma once

#include "philox.h"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

// Accurate to the last places of float32.
struct Accurate {
  using V = float;
  static PACKED_RNN_INLINE float splat(float x) { return x; }
  static PACKED_RNN_INLINE float fma(float a, float b, float c) { return fmaf(a, b, c); }
  static PACKED_RNN_INLINE float sqrt(float x) { return sqrtf(x); }
  // NaN in either argument stays NaN.
  static PACKED_RNN_INLINE float max(float a, float b) { return b > a || b != b ? b : a; }
  // NaN in a stays NaN.
  static PACKED_RNN_INLINE float positive(float a, float b) { return a <= 0.0f ? 0.0f : b; }
  static PACKED_RNN_INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
  static PACKED_RNN_INLINE float tanh(float x) { return tanhf(x); }
  static PACKED_RNN_INLINE float accurateSigmoid(float x) { return sigmoid(x); }
  static PACKED_RNN_INLINE float exp(float x) { return expf(x); }
  static PACKED_RNN_INLINE float log(float x) { return logf(x); }
  static PACKED_RNN_INLINE float log1p(float x) { return log1pf(x); }
  static PACKED_RNN_INLINE float erf(float x) { return erff(x); }
  static PACKED_RNN_INLINE float pow(float x, float y) { return powf(x, y); }
  static PACKED_RNN_INLINE bool all(bool x) { return x; }
  static PACKED_RNN_INLINE double power(double x, double y) { return ::pow(x, y); }
  static PACKED_RNN_INLINE double root(double x) { return ::sqrt(x); }
};

// Accurate to about 2^-11, for products whose operands are rounded to that or worse.
struct Approximate : Accurate {
  static __device__ __forceinline__ float tanh(float x) { return approximateTanh(x); }
  static __device__ __forceinline__ float sigmoid(float x) {
    return fmaf(approximateTanh(0.5f * x), 0.5f, 0.5f);
  }
};

}  // namespace packed_rnn::cuda
