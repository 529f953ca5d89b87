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
