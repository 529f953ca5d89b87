// The weights of a layer as its kernels read them: panels of terms. The whole team makes them with vectors.
// The caller keeps them until the weights change.
#pragma once

#include "cpu/pack.h"
#include "cpu/recurrent.h"

namespace packed_rnn::PACKED_RNN_ISA {

class ForwardWeights final : public CpuKept {
 public:
  struct Direction {
    Term* input;   // wIh: panels [C, I] of the columns
    Term* first;   // wHh: [blocks][termsIn(R)][count kLanes], all columns or the first half, see columnTiles
    Term* second;  // the second half
    Term* projection;  // wHr: panels [P, H]
    float* bias;       // [C]
  };
  // halves: the cell needs its first two columns before its third.
  ForwardWeights(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout,
                 const RecurrentWeights* weights, bool halves);
  const Direction& direction(std::int64_t d) const { return directions_[d]; }

 private:
  Scratch<Term> terms_;
  Scratch<float> bias_;
  Direction directions_[2];
};

class BackwardWeights final : public CpuKept {
 public:
  struct Direction {
    Term* recurrent;   // wHh: panels [R, C], from columns' gradients to h's; with halves those of r, z
    Term* reset;       // with halves those of n
    Term* projection;  // wHr: panels [H, P]
    Term* input;       // wIh: panels [I, C]; null if no gradient of the input is needed
  };
  BackwardWeights(CpuBackend& backend, const RecurrentShape& shape, const Layout& layout,
                  const RecurrentWeights* weights, bool halves, bool wantsInput);
  const Direction& direction(std::int64_t d) const { return directions_[d]; }
  bool hasInput() const { return hasInput_; }

 private:
  bool hasInput_;
  Scratch<Term> terms_;
  Direction directions_[2];
};

// What an op derived from its weights: stored in the caller's place, or for the duration of the op.
template <class Weights>
class Held {
 public:
  explicit Held(Kept** place) : place_(place == nullptr ? &own_ : place) {}
  ~Held() { CpuKept::free(own_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  // Null the first time.
  const Weights* get() const { return static_cast<const Weights*>(*place_); }
  const Weights& keep(Weights* made) {
    CpuKept::free(*place_);
    *place_ = made;
    return *made;
  }

 private:
  Kept* own_ = nullptr;
  Kept** const place_;
};

// From [depth, C] in the order of columns to a parameter's [G·H, depth]; `gate` selects the parameter's
// columns.
void unpackColumns(CpuBackend& backend, const float* packed, const Layout& layout, const int* gate,
                   std::int64_t depth, float* parameter);

}  // namespace packed_rnn::PACKED_RNN_ISA
