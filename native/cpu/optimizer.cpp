// Steps over many tensors in one op: clipping and the optimisers' rules of cells.h.
#include "cells.h"
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr std::int64_t kChunk = 16384;
constexpr std::int64_t kRows = 64;  // of a task

// body(tensor, begin, end, chunk) over the fixed chunks of all tensors, as one set of tasks. `chunk` is a
// running number over all tensors.
template <class Body>
void eachChunk(CpuBackend& backend, std::int64_t tensors, const std::int64_t* counts, Body& body) {
  const auto chunksOf = [&](std::int64_t i) { return (counts[i] + kChunk - 1) / kChunk; };
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < tensors; i++) chunks += chunksOf(i);
  auto task = [&](std::int64_t chunk, int) {
    std::int64_t i = 0, own = chunk;
    for (; own >= chunksOf(i); i++) own -= chunksOf(i);
    body(i, own * kChunk, smaller(counts[i], (own + 1) * kChunk), chunk);
  };
  parallel(backend, chunks, task);
}

template <class F>
void eachVector(std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t i = begin; i < end; i += kLanes) f(i, static_cast<int>(smaller(kLanes, end - i)));
}

// n elements of a tensor; an absent one reads as 0 and is not written.
PACKED_RNN_INLINE V loadSome(const float* tensor, std::int64_t at, int n) {
  if (tensor == nullptr) return V{};
  return n == kLanes ? load(tensor + at) : loadFirst(tensor + at, n);
}
PACKED_RNN_INLINE void storeSome(float* tensor, std::int64_t at, V v, int n) {
  if (tensor == nullptr) return;
  n == kLanes ? store(tensor + at, v) : storeFirst(tensor + at, v, n);
}

// values[i] = f(values[i]) over all tensors
template <class F>
void replaceEach(CpuBackend& backend, std::int64_t tensors, const std::int64_t* counts, float* const* values,
                 F f) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    eachVector(begin, end,
               [&](std::int64_t at, int n) { storeSome(values[i], at, f(loadSome(values[i], at, n)), n); });
  };
  eachChunk(backend, tensors, counts, body);
}

// t of tensor i in this step.
double stepOf(const Stepped& s, std::int64_t i) { return s.steps[i] == nullptr ? 1.0 : 1.0 + s.steps[i][0]; }

// One step of all parameters: makeRule(tensor, t), then update(rule, tensor, at, n, parameter, gradient) for
// n elements from `at`. `update` loads and stores their state.
template <class MakeRule, class Update>
void eachStep(CpuBackend& backend, const Stepped& s, MakeRule makeRule, Update update) {
  auto body = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t) {
    const auto rule = makeRule(i, stepOf(s, i));
    eachVector(begin, end, [&](std::int64_t at, int n) {
      V parameter = loadSome(s.parameters[i], at, n);
      update(rule, i, at, n, parameter, loadSome(s.gradients[i], at, n));
      storeSome(s.parameters[i], at, parameter, n);
    });
  };
  eachChunk(backend, s.tensors, s.counts, body);
  for (std::int64_t i = 0; i < s.tensors; i++) {
    if (s.steps[i] != nullptr) s.steps[i][0] += 1;
  }
}

// f(x) for the vectors of a table's gradient between two of its elements that contain numbers of rows.
// `begin` starts a vector. Lanes of other rows are 0.
template <class F>
void eachVectorOfRows(const GradientRows& rows, const float* values, std::int64_t begin, std::int64_t end,
                      F f) {
  const std::int64_t columns = rows.columns;
  // The first row that extends beyond `begin`.
  std::int64_t u = 0;
  for (std::int64_t after = rows.count; u < after;) {
    const std::int64_t middle = (u + after) / 2;
    if ((rows.ids[middle] + 1) * columns > begin) {
      after = middle;
    } else {
      u = middle + 1;
    }
  }
  for (; u < rows.count && rows.ids[u] * columns < end; u++) {
    const std::int64_t start = rows.ids[u] * columns;
    const std::int64_t first = larger(begin, start), last = smaller(end, start + columns);
    const float* const row = values + u * columns;
    for (std::int64_t at = first - (first - begin) % kLanes; at < last; at += kLanes) {
      if (at >= first && at + kLanes <= last) {
        f(load(row + (at - start)));
        continue;
      }
      V x{};
      for (std::int64_t i = larger(at, first); i < smaller(at + kLanes, last); i++)
        x[i - at] = row[i - start];
      f(x);
    }
  }
}

// Adds the function that AdamRule::stepAgain needs.
struct AllLanes : Simd {
  static PACKED_RNN_INLINE bool all(VI mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) == 0xFFFF;
#elif defined(__AVX2__)
    return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) == 0xFF;
#else
    std::int32_t all = -1;
    for (int i = 0; i < kLanes; i++) all &= mask[i];
    return all != 0;
#endif
  }
};

struct AdamState {
  V parameter, mean, variance, maximum;
};

// The steps from `step` to `last`; the last one uses `gradient`.
void makeSteps(const AdamScalars* step, const AdamScalars* last, V gradient, AdamState& s) {
  for (; step <= last; step++) {
    const V g = step < last ? splat(step->rest) : gradient;
    AdamRule<AllLanes>(*step).stepAgain(s.parameter, g, s.mean, s.variance, s.maximum);
  }
}

// Row `id` of a table applies the steps that it missed. The last one uses `gradient` unless that is null.
void stepRow(const AdamCatchUp& table, std::int64_t id, const float* gradient) {
  const MissedSteps missed = table.missedSteps();
  const std::int32_t from = missed.made[id], to = missed.count[0];
  if (from == to) return;
  missed.made[id] = to;
  const AdamScalars* const first = missed.scalars + from;
  const AdamScalars* const last = missed.scalars + to - 1;
  eachVector(0, table.columns, [&](std::int64_t column, int n) {
    const std::int64_t at = id * table.columns + column;
    AdamState s = {loadSome(table.parameter, at, n), loadSome(table.mean, at, n),
                   loadSome(table.variance, at, n), loadSome(table.maximum, at, n)};
    makeSteps(first, last, gradient == nullptr ? splat(last->rest) : loadSome(gradient, column, n), s);
    storeSome(table.parameter, at, s.parameter, n);
    storeSome(table.mean, at, s.mean, n);
    storeSome(table.variance, at, s.variance, n);
    storeSome(table.maximum, at, s.maximum, n);
  });
}

// stepRow for the rows `ids`, or for all. Row u of `gradients`, if present, is that of ids[u].
void stepRows(CpuBackend& backend, const AdamCatchUp& table, const float* gradients) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t u = begin; u < end; u++)
      stepRow(table, table.ids == nullptr ? u : table.ids[u],
              gradients == nullptr ? nullptr : gradients + u * table.columns);
  };
  parallelChunks(backend, table.ids == nullptr ? table.rows : table.count, kRows, body);
}

PACKED_RNN_INLINE V magnitude(V x) { return x < 0.0f ? -x : x; }
// NaN in either argument stays NaN.
PACKED_RNN_INLINE float largerOrNan(float a, float b) { return b > a || b != b ? b : a; }

}  // namespace

template <>
void run(CpuBackend& kernels, const ClipNorm& a) {
  Scratch<std::int64_t> counts(kernels, a.tensors);  // elements of the whole gradients
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < a.tensors; i++) {
    counts[i] = a.rows(i).dense() ? a.counts[i] : a.rows(i).tableRows * a.rows(i).columns;
    chunks += (counts[i] + kChunk - 1) / kChunk;
  }
  Scratch<float> partial(kernels, chunks);
  auto reduce = [&](std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t chunk) {
    V lanes = V{};
    const auto add = [&](V x) { lanes = a.largest ? Simd::max(lanes, magnitude(x)) : fma(x, x, lanes); };
    if (a.rows(i).dense()) {
      eachVector(begin, end, [&](std::int64_t at, int n) { add(loadSome(a.values[i], at, n)); });
    } else {
      eachVectorOfRows(a.rows(i), a.values[i], begin, end, add);
    }
    if (a.largest) {
      float most = 0;
      for (int l = 0; l < kLanes; l++) most = largerOrNan(most, lanes[l]);
      partial[chunk] = most;
    } else {
      partial[chunk] = sumOfLanes(lanes);
    }
  };
  eachChunk(kernels, a.tensors, counts, reduce);
  float most = 0, norm = 0;
  double squares = 0;
  for (std::int64_t i = 0, c = 0; i < a.tensors; i++) {
    for (const std::int64_t end = c + (counts[i] + kChunk - 1) / kChunk; c < end; c++) {
      most = largerOrNan(most, partial[c]);
      squares += static_cast<double>(partial[c]);
    }
    norm = a.largest ? most : static_cast<float>(__builtin_sqrt(squares));
    if (a.refused != nullptr) CpuBackend::checkNorm(norm, i);
  }
  a.total[0] = norm;
  // PyTorch's coefficient; NaN passes through the comparison, as in PyTorch.
  float coefficient = a.maxNorm / (norm + 1e-6f);
  if (coefficient > 1.0f) coefficient = 1.0f;
  replaceEach(kernels, a.tensors, a.counts, a.values, [=](V x) { return x * coefficient; });
}

template <>
void run(CpuBackend& kernels, const ClipValue& a) {
  const V limit = splat(a.limit);
  replaceEach(kernels, a.tensors, a.counts, a.values, [=](V x) {
    x = x > limit ? limit : x;
    return x < -limit ? -limit : x;
  });
}

template <>
void run(CpuBackend& kernels, const SgdStep& a) {
  eachStep(
      kernels, a, [&](std::int64_t i, double t) { return SgdRule<Simd>(a.options[i], t); },
      [&](const SgdRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V momentum = loadSome(a.momenta[i], at, n);
        rule.step(parameter, gradient, momentum);
        storeSome(a.momenta[i], at, momentum, n);
      });
}

template <>
void run(CpuBackend& kernels, const AdamStep& a) {
  const Stepped& stepped = a;
  Scratch<std::int64_t> dense(kernels, stepped.tensors);  // counts, but 0 if only rows are stepped
  for (std::int64_t i = 0; i < stepped.tensors; i++) {
    const GradientRows rows = a.rows(i);
    dense[i] = rows.dense() ? stepped.counts[i] : 0;
    if (rows.dense()) continue;
    const AdamCatchUp table = {rows.tableRows,        rows.columns, rows.count,
                               stepped.parameters[i], a.means[i],   a.variances[i],
                               a.maxima[i],           a.missed[i],  rows.ids};
    const MissedSteps missed = table.missedSteps();
    missed.scalars[missed.count[0]++] = adamScalars<Simd>(a.options[i], stepOf(stepped, i), a.rests[i][0]);
    stepRows(kernels, table, stepped.gradients[i]);
  }
  eachStep(
      kernels, {stepped.tensors, stepped.parameters, dense, stepped.gradients, stepped.steps, nullptr},
      [&](std::int64_t i, double t) { return AdamRule<Simd>(adamScalars<Simd>(a.options[i], t, 0)); },
      [&](const AdamRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V mean = loadSome(a.means[i], at, n);
        V variance = loadSome(a.variances[i], at, n);
        V maximum = loadSome(a.maxima[i], at, n);
        rule.step(parameter, gradient, mean, variance, maximum);
        storeSome(a.means[i], at, mean, n);
        storeSome(a.variances[i], at, variance, n);
        storeSome(a.maxima[i], at, maximum, n);
      });
}

template <>
void run(CpuBackend& kernels, const AdamCatchUp& a) {
  stepRows(kernels, a, nullptr);
  if (a.ids != nullptr) return;
  const MissedSteps missed = a.missedSteps();
  for (std::int64_t row = 0; row < a.rows; row++) missed.made[row] = 0;
  missed.count[0] = 0;
}

template <>
void run(CpuBackend& kernels, const AsgdStep& a) {
  eachStep(
      kernels, a, [&](std::int64_t i, double t) { return AsgdRule<Simd>(a.options[i], t, a.rates[i][0]); },
      [&](const AsgdRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V average = loadSome(a.averages[i], at, n);
        rule.step(parameter, gradient, average);
        storeSome(a.averages[i], at, average, n);
      });
  for (std::int64_t i = 0; i < a.tensors; i++) {
    a.rates[i][0] = AsgdRule<Simd>::nextRate(a.options[i], a.steps[i][0]);
  }
}

template <>
void run(CpuBackend& kernels, const AdagradStep& a) {
  eachStep(
      kernels, a, [&](std::int64_t i, double t) { return AdagradRule<Simd>(a.options[i], t); },
      [&](const AdagradRule<Simd>& rule, std::int64_t i, std::int64_t at, int n, V& parameter, V gradient) {
        V sum = loadSome(a.sums[i], at, n);
        V average = loadSome(a.averages[i], at, n);
        V momentum = loadSome(a.momenta[i], at, n);
        rule.step(parameter, gradient, sum, average, momentum);
        storeSome(a.sums[i], at, sum, n);
        storeSome(a.averages[i], at, average, n);
        storeSome(a.momenta[i], at, momentum, n);
      });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
