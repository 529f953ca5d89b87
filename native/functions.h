// Elementwise functions and their derivatives, written once for all devices. M is a math policy as in
// cells.h. A number is a float in a CUDA thread and a SIMD vector on the CPU, and so is a comparison of
// numbers.
#pragma once

#include "ops/elementwise.h"
#include "philox.h"

namespace packed_rnn {

template <class M>
struct Functions {
  using V = typename M::V;

  // A comparison as 1 or 0.
  template <class Mask>
  static PACKED_RNN_INLINE V number(Mask mask) {
    return mask ? M::splat(1.0f) : M::splat(0.0f);
  }
  static PACKED_RNN_INLINE V magnitude(V x) { return x < 0.0f ? -x : x; }
  // Φ(x) of the normal distribution, for gelu(x) = x Φ(x) (Hendrycks and Gimpel 2016).
  static PACKED_RNN_INLINE V normal(V x) { return 0.5f * (1.0f + M::erf(x * 0.707106781f)); }

  // All functions except `copy`. Each uses the operands that it has.
  template <Function f>
  static PACKED_RNN_INLINE V apply(V a, V b, V c) {
    const V zero = M::splat(0.0f);
    if constexpr (f == Function::neg) return -a;
    if constexpr (f == Function::exp) return M::exp(a);
    if constexpr (f == Function::log) return M::log(a);
    if constexpr (f == Function::sqrt) return M::sqrt(a);
    if constexpr (f == Function::abs) return magnitude(a);
    // log(1 + eˣ) without overflow
    if constexpr (f == Function::softplus) return (a < 0.0f ? zero : a) + M::log1p(M::exp(-magnitude(a)));
    if constexpr (f == Function::sigmoid) return M::accurateSigmoid(a);
    if constexpr (f == Function::tanh) return M::tanh(a);
    if constexpr (f == Function::relu) return a < 0.0f ? zero : a;
    if constexpr (f == Function::gelu) return a * normal(a);
    if constexpr (f == Function::add) return a + b;
    if constexpr (f == Function::sub) return a - b;
    if constexpr (f == Function::mul) return a * b;
    if constexpr (f == Function::div) return a / b;
    if constexpr (f == Function::pow) return M::pow(a, b);
    if constexpr (f == Function::maximum) return M::max(a, b);
    if constexpr (f == Function::minimum) return -M::max(-a, -b);
    if constexpr (f == Function::eq) return number(a == b);
    if constexpr (f == Function::gt) return number(a > b);
    if constexpr (f == Function::lt) return number(a < b);
    if constexpr (f == Function::where) return a != 0.0f ? b : c;
    // NaN in a stays NaN.
    if constexpr (f == Function::clamp) {
      const V low = a < b ? b : a;
      return low > c ? c : low;
    }
    if constexpr (f == Function::within) return number((a >= b) & (a <= c));
    if constexpr (f == Function::sqrtBackward) return b / (a + a);
    if constexpr (f == Function::absBackward) return a > 0.0f ? b : a < 0.0f ? -b : zero;
    if constexpr (f == Function::softplusBackward) return b * M::accurateSigmoid(a);
    if constexpr (f == Function::sigmoidBackward) return b * a * (1.0f - a);
    if constexpr (f == Function::tanhBackward) return b * (1.0f - a * a);
    if constexpr (f == Function::reluBackward) return a <= 0.0f ? zero : b;
    // d x Φ(x) = Φ(x) + x φ(x)
    if constexpr (f == Function::geluBackward)
      return b * (normal(a) + a * (0.398942280f * M::exp(-0.5f * a * a)));
    if constexpr (f == Function::divBackward) return -(c * a / b);
    // d aᵇ = b aᵇ⁻¹; 0 if b is 0, also at a = 0
    if constexpr (f == Function::powBackward) return b == 0.0f ? zero : c * b * M::pow(a, b - 1.0f);
    // aᵇ log a; 0 at a = 0 if b is not negative
    if constexpr (f == Function::powBackwardExponent)
      return (a == 0.0f) & (b >= 0.0f) ? zero : c * M::pow(a, b) * M::log(a);
    // Equal operands share the gradient.
    if constexpr (f == Function::maximumBackward) return a > b ? c : a == b ? 0.5f * c : zero;
    if constexpr (f == Function::minimumBackward) return a < b ? c : a == b ? 0.5f * c : zero;
    return a;
  }
};

}  // namespace packed_rnn
