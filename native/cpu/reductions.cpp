// Reductions, cumulative ops and topK.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

template <>
void run(CpuBackend& kernels, const Sum& a) {
  constexpr std::int64_t kChunk = 16384;
  const std::int64_t chunks = (a.count + kChunk - 1) / kChunk;
  Scratch<float> partial(kernels, chunks);
  auto body = [&](std::int64_t begin, std::int64_t end) {
    V total = V{};
    std::int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) total += load(a.values + i);
    if (i < end) total += loadFirst(a.values + i, static_cast<int>(end - i));
    partial[begin / kChunk] = sumOfLanes(total);
  };
  parallelChunks(kernels, a.count, kChunk, body);
  double total = 0;
  for (std::int64_t c = 0; c < chunks; c++) total += static_cast<double>(partial[c]);
  a.out[0] = static_cast<float>(total);
}

namespace {

constexpr std::int64_t kPartial = 256;  // elements of a partial sum, which reduces the rounding error

// The state of a reduction, in lanes: a sum, or the largest element so far and its place.
struct Held {
  V value;
  VI place;
};
template <Reduction reduction>
PACKED_RNN_INLINE void add(Held& held, V x, std::int32_t place) {
  if constexpr (reduction == Reduction::sum) {
    held.value += x;
  } else if constexpr (reduction == Reduction::sumOfSquares) {
    held.value = fma(x, x, held.value);
  } else {
    const VI beats = reduction == Reduction::max ? x > held.value : x < held.value;
    // The first element is always taken, and nothing replaces the first NaN.
    const VI taken = (held.place < 0) | beats | ((x != x) & (held.value == held.value));
    held.value = taken ? x : held.value;
    held.place = taken ? VI{} + place : held.place;
  }
}
template <Reduction reduction>
constexpr bool kSums = reduction == Reduction::sum || reduction == Reduction::sumOfSquares;

// A strip of columns. Each is reduced separately over n rows `stride` apart.
template <Reduction reduction>
Held reduceColumns(const float* from, std::int64_t n, std::int64_t stride, int live) {
  const auto at = [&](std::int64_t j) {
    return live == kLanes ? load(from + j * stride) : loadFirst(from + j * stride, live);
  };
  Held held = {V{}, VI{} - 1};
  for (std::int64_t first = 0; first < n; first += kPartial) {
    Held part = kSums<reduction> ? Held{V{}, VI{} - 1} : held;
    for (std::int64_t j = first; j < smaller(n, first + kPartial); j++)
      add<reduction>(part, at(j), static_cast<std::int32_t>(j));
    if constexpr (kSums<reduction>) {
      held.value += part.value;
    } else {
      held = part;
    }
  }
  return held;
}

struct One {
  float value;
  std::int32_t place;
};
// n contiguous numbers: lane by lane, then over the lanes.
template <Reduction reduction>
One reduceRow(const float* from, std::int64_t n) {
  if constexpr (kSums<reduction>) {
    float total = 0;
    for (std::int64_t first = 0; first < n; first += kPartial * kLanes) {
      Held part = {V{}, VI{}};
      const std::int64_t end = smaller(n, first + kPartial * kLanes);
      std::int64_t j = first;
      for (; j + kLanes <= end; j += kLanes) add<reduction>(part, load(from + j), 0);
      if (j < end) add<reduction>(part, loadFirst(from + j, static_cast<int>(end - j)), 0);
      total += sumOfLanes(part.value);
    }
    return {total, -1};
  } else {
    One best = {0, -1};
    for (std::int64_t j = 0; j < n; j++) {
      const float x = from[j];
      const bool beats = reduction == Reduction::max ? x > best.value : x < best.value;
      if (best.place < 0 || beats || (x != x && best.value == best.value))
        best = {x, static_cast<std::int32_t>(j)};
    }
    return best;
  }
}

template <Reduction reduction>
void reduce(CpuBackend& kernels, const Reduce& a) {
  // An empty maximum is -∞.
  const float none = reduction == Reduction::max   ? -__builtin_inff()
                     : reduction == Reduction::min ? __builtin_inff()
                                                   : 0.0f;
  const std::int64_t ofTask = larger(1, 16384 / larger(1, a.n));
  if (a.inner == 1) {
    auto rows = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; o++) {
        const One one = reduceRow<reduction>(a.x + o * a.n, a.n);
        a.y[o] = a.scale * (a.n == 0 ? none : one.value);
        if (a.places != nullptr) a.places[o] = one.place;
      }
    };
    return parallelChunks(kernels, a.outer, ofTask, rows);
  }
  const std::int64_t strips = (a.inner + kLanes - 1) / kLanes;
  auto columns = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t++) {
      const std::int64_t o = t / strips, column = t % strips * kLanes;
      const int live = static_cast<int>(smaller(kLanes, a.inner - column));
      const Held held = reduceColumns<reduction>(a.x + o * a.n * a.inner + column, a.n, a.inner, live);
      for (int i = 0; i < live; i++) {
        a.y[o * a.inner + column + i] = a.scale * (a.n == 0 ? none : held.value[i]);
        if (a.places != nullptr) a.places[o * a.inner + column + i] = held.place[i];
      }
    }
  };
  parallelChunks(kernels, a.outer * strips, larger(1, ofTask / kLanes), columns);
}

}  // namespace

template <>
void run(CpuBackend& kernels, const Reduce& a) {
  switch (a.reduction) {
    case Reduction::sum:
      return reduce<Reduction::sum>(kernels, a);
    case Reduction::sumOfSquares:
      return reduce<Reduction::sumOfSquares>(kernels, a);
    case Reduction::max:
      return reduce<Reduction::max>(kernels, a);
    case Reduction::min:
      return reduce<Reduction::min>(kernels, a);
  }
}

template <>
void run(CpuBackend& kernels, const CumulativeSum& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t++) {
      const std::int64_t first = t / a.inner * a.n * a.inner + t % a.inner;
      double total = 0;
      for (std::int64_t j = 0; j < a.n; j++) {
        const std::int64_t at = first + (a.reversed ? a.n - 1 - j : j) * a.inner;
        total += static_cast<double>(a.x[at]);
        a.y[at] = static_cast<float>(total);
      }
    }
  };
  parallelChunks(kernels, a.outer * a.inner, larger(1, 16384 / larger(1, a.n)), body);
}

template <>
void run(CpuBackend& kernels, const CumulativeMax& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t++) {
      const std::int64_t first = t / a.inner * a.n * a.inner + t % a.inner;
      float largest = 0;
      std::int64_t place = -1;
      for (std::int64_t j = 0; j < a.n; j++) {
        const float x = a.x[first + j * a.inner];
        if (place < 0 || x >= largest || x != x) {
          largest = x;
          place = j;
        }
        a.y[first + j * a.inner] = largest;
        a.places[first + j * a.inner] = static_cast<std::int32_t>(place);
      }
    }
  };
  parallelChunks(kernels, a.outer * a.inner, larger(1, 16384 / larger(1, a.n)), body);
}

namespace {

// The order of TopK: whether element i of a row comes before element j.
struct Order {
  const float* x;
  bool largest;
  PACKED_RNN_INLINE bool before(std::int32_t i, std::int32_t j) const {
    const float a = x[i], b = x[j];
    const bool nanA = a != a, nanB = b != b;
    if (nanA != nanB) return nanA == largest;
    if (!nanA && a != b) return largest ? a > b : a < b;
    return i < j;
  }
};

// A heap of `count` elements. Its root is the one that comes last.
void sink(const Order& order, std::int32_t* heap, std::int64_t count, std::int64_t i) {
  for (std::int64_t child; (child = 2 * i + 1) < count; i = child) {
    if (child + 1 < count && order.before(heap[child], heap[child + 1])) child++;
    if (!order.before(heap[i], heap[child])) return;
    const std::int32_t held = heap[i];
    heap[i] = heap[child];
    heap[child] = held;
  }
}

}  // namespace

template <>
void run(CpuBackend& kernels, const TopK& a) {
  if (a.k == 0) return;
  auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; r++) {
      const Order order = {a.x + r * a.columns, a.largest};
      std::int32_t* const heap = a.places + r * a.k;
      for (std::int64_t i = 0; i < a.k; i++) heap[i] = static_cast<std::int32_t>(i);
      for (std::int64_t i = a.k / 2 - 1; i >= 0; i--) sink(order, heap, a.k, i);
      for (std::int64_t c = a.k; c < a.columns; c++) {
        if (!order.before(static_cast<std::int32_t>(c), heap[0])) continue;
        heap[0] = static_cast<std::int32_t>(c);
        sink(order, heap, a.k, 0);
      }
      for (std::int64_t left = a.k - 1; left > 0; left--) {
        const std::int32_t last = heap[0];
        heap[0] = heap[left];
        heap[left] = last;
        sink(order, heap, left, 0);
      }
      for (std::int64_t i = 0; i < a.k; i++) a.values[r * a.k + i] = order.x[heap[i]];
    }
  };
  parallelChunks(kernels, a.rows, larger(1, 4096 / larger(1, a.columns)), rows);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
