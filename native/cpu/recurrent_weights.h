// The weights of a layer as its kernels read them: panels of terms, made by vectors and by the whole team,
// and kept by the caller for as long as the weights stay.
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
    Term* recurrent;   // wHh: panels [R, C], from the columns' gradients to that of h; in halves those of r
                       // and z
    Term* reset;       // in halves those of n
    Term* projection;  // wHr: panels [H, P]
    Term* input;       // wIh: panels [I, C]; null where no gradient of the input was wanted
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

// What an op made of its weights: in its caller's place for it, or for as long as the op runs.
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

// From [depth, C], columns in their order, to a parameter's [G·H, depth]; `gate` says which columns are its
// own.
void unpackColumns(CpuBackend& backend, const float* packed, const Layout& layout, const int* gate,
                   std::int64_t depth, float* parameter);

}  // namespace packed_rnn::PACKED_RNN_ISA
