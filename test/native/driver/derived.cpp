// Random cases of every op whose description is enough for a case: sizes, contents and outputs. A result
// starts as NaN, so an element that is not written is found. Ops of lists, of recurrent layers and of
// postponed steps have separate cases.
#include <cmath>
#include <random>

#include "driver.h"

namespace driver {

namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return std::uniform_int_distribution<std::int64_t>(0, n - 1)(engine_);
  }
  std::int64_t size() {
    static constexpr std::int64_t kSizes[] = {0, 1, 1, 2, 3, 5, 8, 20, 33, 70};
    return kSizes[below(10)];
  }
  double number() { return std::uniform_real_distribution<double>(0, 1)(engine_); }

 private:
  std::mt19937 engine_;
};

// The relations between the sizes of an op.
template <class O>
void fit(O&, Random&) {}
template <>
void fit(Dropout& op, Random& random) {
  op.directions = 1 + random.below(2);
  op.columns = op.directions * random.size();
  if (op.sequences.count > 0) op.rows = op.sequences.rows();
}
template <>
void fit(CrossEntropy& op, Random&) {
  op.ignoreIndex = -100;
  op.rows += 1;
  op.classes += 1;
}
template <>
void fit(Reduce& op, Random&) {
  op.n += 1;  // an empty maximum is infinite
}
template <>
void fit(LayerNorm& op, Random&) {
  op.columns += 1;
}
template <>
void fit(LayerNormBackward& op, Random&) {
  op.columns += 1;
}
template <>
void fit(TopK& op, Random& random) {
  op.k = random.below(op.columns + 1);
}
template <>
void fit(TakeAlong& op, Random&) {
  op.n += 1;
}
template <>
void fit(AddAlong& op, Random&) {
  op.n += 1;
}
// Each dimension has its own place in a larger array.
template <>
void fit(CopyStrided& op, Random& random) {
  std::int64_t next = 1;
  for (int d = 0; d < 4; d++) {
    op.destinationStrides.at[d] = next;
    next *= op.shape.at[d] + 1;
  }
  op.destinationFirst = random.below(3);
  op.destinationCount = op.destinationFirst + next;
  op.sourceFirst = random.below(3);
  op.sourceCount = op.sourceFirst + 1;
  for (int d = 0; d < 4; d++)
    if (op.shape.at[d] > 0) op.sourceCount += (op.shape.at[d] - 1) * op.sourceStrides.at[d];
}

// An op on pairs of rows has work for each pair, so its sequences are few and short.
template <class O>
constexpr std::int64_t mostOf() {
  int batches = 0;
  O::Fields::each([&]<class F> {
    if constexpr (std::is_same_v<TypeOf<Field<F>::member>, Sequences>) batches++;
  });
  return batches > 1 ? 9 : INT64_MAX;
}

template <class O>
class Drawn {
  static constexpr std::int64_t kMost = mostOf<O>();

 public:
  Drawn(Device& device, unsigned seed) : device_(device), random_(seed), seed_(seed) {}

  void run() {
    O::Fields::each([&]<class F> { number(F{}); });
    fit(op_, random_);
    O::Fields::each([&]<class F> {
      if constexpr (IsBuffer<F>) op_.*Field<F>::member = buffer<F>();
    });
    device_.backend->run(op_);
  }

 private:
  template <auto m>
  void number(Extent<m>) {
    op_.*m = random_.size();
  }
  template <auto m>
  void number(Number<m>) {
    op_.*m = static_cast<TypeOf<m>>(random_.number());
  }
  template <auto m>
  void number(Flag<m>) {
    op_.*m = random_.below(2) == 1;
  }
  // Uses each value once before any repeats.
  template <auto m>
  void number(Choice<m>) {
    op_.*m = static_cast<TypeOf<m>>(seed_ % valuesOf<TypeOf<m>>());
  }
  template <auto m>
  void number(Extents<m>) {
    for (std::int64_t& n : (op_.*m).at) n = random_.below(4) == 0 ? 1 : random_.size() % 8;
    if (random_.below(3) == 0) (op_.*m).at[3] = 300;
  }
  template <auto m>
  void number(Strides<m>) {
    for (std::int64_t& n : (op_.*m).at) n = random_.below(5);
  }
  template <auto m>
  void number(Offsets<m>) {
    // The batches of an op have as many sequences.
    if (sequences_ < 0) sequences_ = random_.size() % kMost;
    std::vector<std::int64_t> lengths;
    for (std::int64_t b = 0; b < sequences_; b++) lengths.push_back(random_.size() % kMost);
    op_.*m = {device_.offsets(lengths), static_cast<std::int64_t>(lengths.size())};
  }
  template <auto m>
  void number(Optional<Offsets<m>>) {
    if (random_.below(2) == 1) number(Offsets<m>{});
  }
  template <class F>
  void number(F) {}

  template <class F>
  auto buffer() -> TypeOf<Field<F>::member> {
    using D = Field<F>;
    using Element = typename D::Element;
    const std::int64_t count = D::count(op_);
    if (D::optional && random_.below(2) == 0) return nullptr;
    if constexpr (D::direction != Direction::read) {
      const bool whole = D::direction == Direction::write;
      float* const data = whole ? device_.filled(count, NAN) : device_.random(count);
      // The bits of integers are not checked as floats.
      if constexpr (std::is_same_v<Element, float>) device_.alsoResult(data, count);
      return reinterpret_cast<Element*>(data);
    } else if constexpr (std::is_same_v<Element, float>) {
      return device_.between(count, 0.25f, 1);
    } else {
      return device_.integers(integers<F>(count));
    }
  }
  template <class F>
  std::vector<std::int32_t> integers(std::int64_t count) {
    using D = Field<F>;
    std::vector<std::int32_t> values;
    if constexpr (requires { D::startsOf; }) {
      const std::int64_t places = std::invoke(D::startsOf, op_);
      for (std::int64_t i = 0; i < count; i++)
        values.push_back(i + 1 == count ? static_cast<std::int32_t>(places)
                                        : static_cast<std::int32_t>(i == 0 ? 0 : places * i / count));
      if (count > 0) values[0] = 0;
    } else {
      // Each value at most once, then the lowest.
      const std::int64_t below = std::invoke(D::below, op_), from = below == 0 ? 0 : random_.below(below);
      for (std::int64_t i = 0; i < count; i++) {
        const bool none = below == 0 || (D::lowest < 0 && i >= below);
        values.push_back(none ? D::lowest : static_cast<std::int32_t>((from + i) % below));
      }
    }
    return values;
  }

  Device& device_;
  Random random_;
  const unsigned seed_;
  std::int64_t sequences_ = -1;
  O op_{};
};

template <class O>
concept Drawable = [] {
  bool all = true;
  O::Fields::each([&]<class F> {
    all = all && !IsList<F> && !requires { typename O::Base; };
    if constexpr (IsBuffer<F>) all = all && Field<F>::direction != Direction::borrow;
  });
  return all;
}();

}  // namespace

std::vector<Case> derivedCases() {
  std::vector<Case> cases;
  Ops::each([&]<class O> {
    if constexpr (Drawable<O>) {
      int count = 12;
      O::Fields::each([&]<class F> {
        if constexpr (requires { valuesOf<TypeOf<Field<F>::member>>(); }) {
          if constexpr (std::is_enum_v<TypeOf<Field<F>::member>>)
            count = 2 * valuesOf<TypeOf<Field<F>::member>>();
        }
      });
      const Over over = std::same_as<O, Matmul> ? Over::precisions : Over::one;
      cases.push_back({std::string("drawn ") + O::name, over, [count](Device& device) {
                         for (int i = 0; i < count; i++) Drawn<O>(device, static_cast<unsigned>(i)).run();
                       }});
    }
  });
  return cases;
}

}  // namespace driver
