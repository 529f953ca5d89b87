// The equations of the recurrent cells and of the optimisers, written once for all devices.
//
// A math policy M defines the number type: M::V is a float in a CUDA thread and a SIMD vector on the CPU.
// M::sigmoid, M::tanh, M::sqrt, M::max, M::splat and M::fma(a, b, c) = a b + c compute on it. M::power and
// M::root compute an optimiser's scalars in double precision. The compiler contracts nothing
// (-ffp-contract=off), so the bits depend only on M.
#pragma once

#include "backend.h"
#include "philox.h"

namespace packed_rnn {

// A layer's arithmetic in columns. Each unit has `count` columns. Column q of a unit takes its input weights
// from gate input[q] of the parameters and its recurrent weights from gate hidden[q]; -1: no weights. Its
// bias is the sum of those gates' biases.
struct Columns {
  int count;
  int input[4];
  int hidden[4];
};
constexpr PACKED_RNN_INLINE Columns columnsOf(Cell cell) {
  switch (cell) {
    case Cell::lstm:
      return {4, {0, 1, 2, 3}, {0, 1, 2, 3}};
    case Cell::gru:
      // The reset gate multiplies only the recurrent part of n, so the two parts are two columns.
      return {4, {0, 1, 2, -1}, {0, 1, -1, 2}};
    case Cell::resetFirstGru:
      return {3, {0, 1, 2}, {0, 1, 2}};
    case Cell::elmanTanh:
    case Cell::elmanRelu:
      return {1, {0}, {0}};
  }
  return {};
}

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

// Given dh and dc, the gradients of h and of c from all later steps: the gradients of the four
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
  V r, z, n, q;  // pre-activations in; gates and unchanged q out
  V h;           // h₋₁ in, h out

  PACKED_RNN_INLINE void forward() {
    r = M::sigmoid(r);
    z = M::sigmoid(z);
    n = M::tanh(M::fma(r, q, n));
    h = M::fma(z, h - n, n);
  }
};

// Given dh: the gradients of the pre-activations and of q, and the part of dh that reaches h₋₁ directly.
template <class M>
struct GruCellBackward {
  using V = typename M::V;
  V r, z, n, q;  // gates and q in, gradients of the pre-activations and of q out
  V dh;          // dh in; out: the part of dh₋₁ that bypasses the gates

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

// The GRU of the original paper, where the reset gate acts on the state before the product. The caller
// computes the recurrent part q from r h₋₁.
//   r = σ(aᵣ)  z = σ(a_z)  n = tanh(aₙ + q)  h = n + z (h₋₁ - n)
template <class M>
struct ResetFirstGruCell {
  using V = typename M::V;

  static PACKED_RNN_INLINE V newState(V n, V z, V previousH) { return M::fma(z, previousH - n, n); }

  // Gradients of the pre-activations of z and n; dh becomes the part that bypasses the gates.
  static PACKED_RNN_INLINE void backward(V z, V n, V previousH, V& dh, V& dZ, V& dN) {
    const V one = M::splat(1.0f);
    dZ = dh * (previousH - n) * z * (one - z);
    dN = dh * (one - z) * (one - n * n);
    dh = dh * z;
  }

  // Given dReset, the gradient of r h₋₁: returns the gradient of r's pre-activation and adds the rest to dh.
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

// The steps of optimisers on one parameter, in PyTorch's order of operations (torch.optim). `t` is the number
// of the parameter's step, from 1. Flags are the same for a whole tensor. A branch on one costs nothing next
// to the memory that a step reads and writes.

// a + s b, or only a where s is 0, because 0 times an infinite b would be NaN. Weight decay is g + λ p.
// Decoupled decay is p - λ p and not (1 - λ) p: 1 - λ rounds by more than a small λ is worth, in the same
// direction in each step.
template <class M>
PACKED_RNN_INLINE typename M::V addScaled(typename M::V a, float s, typename M::V b) {
  return s == 0.0f ? a : M::fma(b, M::splat(s), a);
}

// The gradient of the quantity to minimise: the loss, or with `maximize` its negative, plus λ/2 p².
template <class M>
PACKED_RNN_INLINE typename M::V descended(typename M::V gradient, bool maximize, float weightDecay,
                                          typename M::V parameter) {
  return addScaled<M>(maximize ? -gradient : gradient, weightDecay, parameter);
}

// Stochastic gradient descent with momentum (Polyak 1964; Nesterov's in the form of Sutskever et al. 2013):
//   b = μ b + (1 - τ) g, the first time b = g    p -= lr b, or lr (g + μ b) for Nesterov, or lr g for μ = 0
template <class M>
struct SgdRule {
  using V = typename M::V;
  V descent, momentum, undampened;  // -lr, μ, 1 - τ
  float weightDecay;
  bool hasMomentum, nesterov, maximize, first;

  PACKED_RNN_INLINE SgdRule(const SgdOptions& o, double t)
      : descent(M::splat(static_cast<float>(-o.learningRate))),
        momentum(M::splat(static_cast<float>(o.momentum))),
        undampened(M::splat(static_cast<float>(1 - o.dampening))),
        weightDecay(static_cast<float>(o.weightDecay)),
        hasMomentum(o.momentum != 0),
        nesterov(o.nesterov),
        maximize(o.maximize),
        first(t == 1) {}

  PACKED_RNN_INLINE void step(V& parameter, V gradient, V& buffer) const {
    V direction = descended<M>(gradient, maximize, weightDecay, parameter);
    if (hasMomentum) {
      buffer = first ? direction : M::fma(buffer, momentum, direction * undampened);
      direction = nesterov ? M::fma(buffer, momentum, direction) : buffer;
    }
    parameter = M::fma(direction, descent, parameter);
  }
};

// Keeps AdamRule::isNegligible away from the smallest and the largest numbers.
constexpr float kNegligibleScale = 0x1p40f;

// The scalars of a step of Adam; `rest` as in AdamScalars.
template <class M>
PACKED_RNN_INLINE AdamScalars adamScalars(const AdamOptions& o, double t, float rest) {
  AdamScalars s;
  s.rate1 = static_cast<float>(1 - o.beta1);
  s.beta2 = static_cast<float>(o.beta2);
  s.rate2 = static_cast<float>(1 - o.beta2);
  s.stepSize = static_cast<float>(o.learningRate / (1 - M::power(o.beta1, t)));
  s.rootCorrection = static_cast<float>(M::root(1 - M::power(o.beta2, t)));
  s.epsilon = static_cast<float>(o.epsilon);
  s.weightDecay = o.decoupled ? 0.0f : static_cast<float>(o.weightDecay);
  s.growth = o.decoupled ? static_cast<float>(-o.learningRate * o.weightDecay) : 0.0f;
  s.updateScale = s.stepSize * s.rootCorrection * kNegligibleScale;
  s.epsilonSquared = (s.epsilon * s.rootCorrection) * (s.epsilon * s.rootCorrection);
  s.rest = rest;
  s.amsgrad = o.amsgrad;
  s.maximize = o.maximize;
  return s;
}

// Kingma and Ba 2015: the epsilon is added after the bias correction. AMSGrad (Reddi et al. 2018) divides by
// the largest v so far; AdamW (Loshchilov and Hutter 2019) shrinks p by lr λ first.
//   m += (1 - β₁)(g - m)    v = β₂ v + (1 - β₂) g²    p -= lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)
template <class M>
struct AdamRule {
  using V = typename M::V;
  V rate1, beta2, rate2, stepSize, rootCorrection, epsilon, updateScale, epsilonSquared;
  float weightDecay, growth;
  bool amsgrad, maximize;

  explicit PACKED_RNN_INLINE AdamRule(const AdamScalars& s)
      : rate1(M::splat(s.rate1)),
        beta2(M::splat(s.beta2)),
        rate2(M::splat(s.rate2)),
        stepSize(M::splat(s.stepSize)),
        rootCorrection(M::splat(s.rootCorrection)),
        epsilon(M::splat(s.epsilon)),
        updateScale(M::splat(s.updateScale)),
        epsilonSquared(M::splat(s.epsilonSquared)),
        weightDecay(s.weightDecay),
        growth(s.growth),
        amsgrad(s.amsgrad != 0),
        maximize(s.maximize != 0) {}

  PACKED_RNN_INLINE void step(V& parameter, V gradient, V& mean, V& variance, V& maximum) const {
    const V divisor = moments(parameter, gradient, mean, variance, maximum);
    parameter = addScaled<M>(parameter, growth, parameter);
    update(parameter, mean, divisor);
  }

  // The same bits as `step`, but faster if m has decayed. M::all tests all lanes at once.
  PACKED_RNN_INLINE void stepAgain(V& parameter, V gradient, V& mean, V& variance, V& maximum) const {
    const V divisor = moments(parameter, gradient, mean, variance, maximum);
    parameter = addScaled<M>(parameter, growth, parameter);
    if (!M::all(isNegligible(parameter, mean, divisor))) update(parameter, mean, divisor);
  }

 private:
  // Updates m and v. The update of p divides by the root of the returned value.
  PACKED_RNN_INLINE V moments(V parameter, V gradient, V& mean, V& variance, V& maximum) const {
    gradient = descended<M>(gradient, maximize, weightDecay, parameter);
    mean = M::fma(gradient - mean, rate1, mean);
    variance = M::fma(gradient * gradient, rate2, variance * beta2);
    if (!amsgrad) return variance;
    maximum = M::max(maximum, variance);
    return maximum;
  }

  PACKED_RNN_INLINE void update(V& parameter, V mean, V divisor) const {
    parameter = parameter - stepSize * mean / (M::sqrt(divisor) / rootCorrection + epsilon);
  }

  // Whether `update` leaves p unchanged, without its root and divisions: |u| < 2⁻²⁵ |p| rounds to p. With c =
  // √(1 - β₂ᵗ), u² is at most (s m c)² / (v + (ε c)²). Both sides below are that comparison's times 2⁸⁰. 2⁻²⁶
  // instead of 2⁻²⁵ leaves a factor of 4 for roundings. The result is false for NaN, and if the right side is
  // near the smallest or the largest numbers.
  PACKED_RNN_INLINE auto isNegligible(V parameter, V mean, V divisor) const {
    const V left = mean * updateScale;
    const V place = parameter * M::splat(kNegligibleScale * 0x1p-26f);
    const V right = place * place * (divisor + epsilonSquared);
    return (left * left < right) & (right > M::splat(0x1p-120f)) & (right < M::splat(0x1p120f));
  }
};

// Averaged stochastic gradient descent (Polyak and Juditsky 1992, with the schedule of Bottou 2010):
//   p = (1 - λ η) p - η g    a += μ (p - a)
// after which η = lr / (1 + λ lr t)^α and μ = 1 / max(1, t - t₀); at first η = lr and μ = 1.
template <class M>
struct AsgdRule {
  using V = typename M::V;
  V descent, weight;          // -η, μ
  float weightDecay, growth;  // growth: -λ η
  bool averages, maximize;

  // `rate` is nextRate of the previous step.
  PACKED_RNN_INLINE AsgdRule(const AsgdOptions& o, double t, float rate) {
    const double eta = t == 1 ? o.learningRate : rate;
    const double age = t - 1 - o.t0;
    descent = M::splat(static_cast<float>(-eta));
    weight = M::splat(static_cast<float>(1 / (age > 1 ? age : 1)));
    weightDecay = static_cast<float>(o.weightDecay);
    growth = static_cast<float>(-o.lambda * eta);
    averages = age > 1;
    maximize = o.maximize;
  }

  static PACKED_RNN_INLINE float nextRate(const AsgdOptions& o, double t) {
    return static_cast<float>(o.learningRate / M::power(1 + o.lambda * o.learningRate * t, o.alpha));
  }

  PACKED_RNN_INLINE void step(V& parameter, V gradient, V& average) const {
    gradient = descended<M>(gradient, maximize, weightDecay, parameter);
    parameter = M::fma(gradient, descent, addScaled<M>(parameter, growth, parameter));
    average = averages ? M::fma(parameter - average, weight, average) : parameter;
  }
};

// Adagrad (Duchi et al. 2011), where keep and add are 1, and RMSprop (Tieleman and Hinton 2012), where they
// are α and 1 - α:
//   s = keep s + add g²    p -= lr / (1 + (t - 1) rateDecay) · g / (√s + ε)
// Centred (Graves 2013), s - a² stands for s, with a = keep a + add g. With momentum
//   b = μ b + g / (√s + ε)    p -= lr b
template <class M>
struct AdagradRule {
  using V = typename M::V;
  V rate, keep, add, epsilon, initial, momentum;
  float weightDecay;
  bool hasMomentum, centered, maximize, first;

  PACKED_RNN_INLINE AdagradRule(const AdagradOptions& o, double t)
      : rate(M::splat(static_cast<float>(o.learningRate / (1 + (t - 1) * o.rateDecay)))),
        keep(M::splat(static_cast<float>(o.keep))),
        add(M::splat(static_cast<float>(o.add))),
        epsilon(M::splat(static_cast<float>(o.epsilon))),
        initial(M::splat(static_cast<float>(o.initial))),
        momentum(M::splat(static_cast<float>(o.momentum))),
        weightDecay(static_cast<float>(o.weightDecay)),
        hasMomentum(o.momentum != 0),
        centered(o.centered),
        maximize(o.maximize),
        first(t == 1) {}

  PACKED_RNN_INLINE void step(V& parameter, V gradient, V& sum, V& average, V& buffer) const {
    gradient = descended<M>(gradient, maximize, weightDecay, parameter);
    sum = M::fma(gradient * gradient, add, (first ? initial : sum) * keep);
    V square = sum;
    if (centered) {
      average = M::fma(gradient, add, average * keep);
      // A variance: rounding may make it negative if all gradients are the same.
      square = M::max(M::splat(0.0f), M::fma(-average, average, sum));
    }
    if (!hasMomentum) {
      parameter = parameter - rate * gradient / (M::sqrt(square) + epsilon);
      return;
    }
    buffer = M::fma(buffer, momentum, gradient / (M::sqrt(square) + epsilon));
    parameter = parameter - rate * buffer;
  }
};

}  // namespace packed_rnn
