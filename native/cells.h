// The equations of the recurrent cells and of the optimisers, once, for every device.
//
// A math policy M says what a number is: M::V is a float in a CUDA thread and a SIMD vector on the CPU;
// M::sigmoid, M::tanh, M::sqrt, M::splat and M::fma(a, b, c) = a b + c compute on it. Nothing is contracted
// behind our back
// (-ffp-contract=off), so these bits depend on M alone.
#pragma once

#include "philox.h"

namespace packed_rnn {

// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000, in PyTorch's form
// (torch.nn.LSTM):
//   i = σ(aᵢ)  f = σ(a_f)  g = tanh(a_g)  o = σ(aₒ)  c = f c₋₁ + i g  h = o tanh(c)
template <class M>
struct LstmCell {
  using V = typename M::V;
  V i, f, g, o;  // pre-activations in, gates out
  V c;           // c₋₁ in, c out
  V h;           // out

  PACKED_RNN_INLINE void forward() {
    i = M::sigmoid(i);
    f = M::sigmoid(f);
    g = M::tanh(g);
    o = M::sigmoid(o);
    c = M::fma(f, c, i * g);
    h = o * M::tanh(c);
  }
};

// With dh and dc, the gradients of h and of c from all that follows: the gradients of the four
// pre-activations and of c₋₁.
template <class M>
struct LstmCellBackward {
  using V = typename M::V;
  V i, f, g, o;  // gates in, gradients of their pre-activations out
  V dc;          // dc in, dc₋₁ out

  PACKED_RNN_INLINE void backward(V c, V previousC, V dh) {
    const V one = M::splat(1.0f);
    const V tanhC = M::tanh(c);
    const V dhO = dh * o;
    const V total = M::fma(dhO, one - tanhC * tanhC, dc);
    const V dO = dhO * tanhC * (one - o);
    const V dI = total * g * i * (one - i);
    const V dF = total * previousC * f * (one - f);
    const V dG = total * i * (one - g * g);
    dc = total * f;
    i = dI;
    f = dF;
    g = dG;
    o = dO;
  }
};

// Cho et al. 2014 in PyTorch's form (torch.nn.GRU), where the reset gate acts after the product:
//   r = σ(aᵣ)  z = σ(a_z)  n = tanh(aₙ + r q)  h = n + z (h₋₁ - n)
// aₙ is the input's part of the new state's pre-activation, q the recurrent part.
template <class M>
struct GruCell {
  using V = typename M::V;
  V r, z, n, q;  // pre-activations in; gates, and q as it was, out
  V h;           // h₋₁ in, h out

  PACKED_RNN_INLINE void forward() {
    r = M::sigmoid(r);
    z = M::sigmoid(z);
    n = M::tanh(M::fma(r, q, n));
    h = M::fma(z, h - n, n);
  }
};

// With dh: the gradients of the pre-activations and of q, and what of dh reaches h₋₁ directly.
template <class M>
struct GruCellBackward {
  using V = typename M::V;
  V r, z, n, q;  // gates and q in, gradients of the pre-activations and of q out
  V dh;          // dh in, the part of dh₋₁ that goes around the gates out

  PACKED_RNN_INLINE void backward(V previousH) {
    const V one = M::splat(1.0f);
    const V dZ = dh * (previousH - n) * z * (one - z);
    const V dN = dh * (one - z) * (one - n * n);
    const V dR = dN * q * r * (one - r);
    dh = dh * z;
    q = dN * r;
    n = dN;
    z = dZ;
    r = dR;
  }
};

// The GRU of the original paper, where the reset gate acts on the state before the product: q is the
// recurrent part that the caller computes from r h₋₁.
//   r = σ(aᵣ)  z = σ(a_z)  n = tanh(aₙ + q)  h = n + z (h₋₁ - n)
template <class M>
struct ResetFirstGruCell {
  using V = typename M::V;

  static PACKED_RNN_INLINE V newState(V n, V z, V previousH) { return M::fma(z, previousH - n, n); }

  // Gradients of the pre-activations of z and n; dh becomes what goes around the gates.
  static PACKED_RNN_INLINE void backward(V z, V n, V previousH, V& dh, V& dZ, V& dN) {
    const V one = M::splat(1.0f);
    dZ = dh * (previousH - n) * z * (one - z);
    dN = dh * (one - z) * (one - n * n);
    dh = dh * z;
  }

  // With dReset, the gradient of r h₋₁: that of r's pre-activation; dh takes its part.
  static PACKED_RNN_INLINE V backwardReset(V r, V previousH, V dReset, V& dh) {
    dh = M::fma(dReset, r, dh);
    return dReset * previousH * r * (M::splat(1.0f) - r);
  }
};

// Elman 1990 (torch.nn.RNN): h = φ(a), φ = tanh or relu; its gradient is a function of h.
template <class M, bool relu>
struct ElmanCell {
  using V = typename M::V;
  static PACKED_RNN_INLINE V forward(V a) {
    if constexpr (relu) {
      return M::positive(a, a);
    } else {
      return M::tanh(a);
    }
  }
  static PACKED_RNN_INLINE V backward(V h, V dh) {
    if constexpr (relu) {
      return M::positive(h, dh);
    } else {
      return dh * (M::splat(1.0f) - h * h);
    }
  }
};

// Kingma and Ba 2015, in PyTorch's order of operations (torch.optim.Adam): the epsilon is added after the
// bias correction. stepSize = lr / (1 - β₁ᵗ), rootCorrection = √(1 - β₂ᵗ).
template <class M>
struct AdamRule {
  using V = typename M::V;
  V rate1, beta2, rate2;  // 1 - β₁, β₂, 1 - β₂
  V stepSize, rootCorrection, epsilon;

  PACKED_RNN_INLINE void step(V& parameter, V gradient, V& mean, V& variance) const {
    mean = M::fma(gradient - mean, rate1, mean);
    variance = M::fma(gradient * gradient, rate2, variance * beta2);
    parameter = parameter - stepSize * mean / (M::sqrt(variance) / rootCorrection + epsilon);
  }
};

}  // namespace packed_rnn
