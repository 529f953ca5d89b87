// One row for each sequence: the largest of its rows, or their mean.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// A strip of columns a task, so that a long sequence is shared: body(begin, end, column, live, b), rows begin
// to end of sequence b.
template <class Body>
void eachStrip(CpuBackend& backend, const Sequences& sequences, std::int64_t columns, Body body) {
  const std::int64_t strips = (columns + kLanes - 1) / kLanes;
  auto task = [&](std::int64_t t, int) {
    const std::int64_t b = t / strips;
    const std::int64_t column = t % strips * kLanes;
    body(sequences.offsets[b], sequences.offsets[b + 1], column,
         static_cast<int>(smaller(kLanes, columns - column)), b);
  };
  parallel(backend, sequences.count * strips, task);
}

PACKED_RNN_INLINE V loadLive(const float* p, int live) {
  return live == kLanes ? load(p) : loadFirst(p, live);
}
PACKED_RNN_INLINE void storeLive(float* p, V v, int live) {
  live == kLanes ? store(p, v) : storeFirst(p, v, live);
}

}  // namespace

void Kernels::maxPool(const MaxPool& a) {
  eachStrip(*this, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              V largest = begin == end ? V{} : loadLive(a.rows + begin * a.columns + column, live);
              VI place = VI{} + (begin == end ? -1 : begin);
              for (std::int32_t n = begin + 1; n < end; n++) {
                const V x = loadLive(a.rows + n * a.columns + column, live);
                // Nothing takes the place of the first NaN.
                const VI taken = (x > largest) | ((x != x) & (largest == largest));
                largest = taken ? x : largest;
                place = taken ? VI{} + n : place;
              }
              storeLive(a.pooled + b * a.columns + column, largest, live);
              for (int i = 0; i < live; i++) a.places[b * a.columns + column + i] = place[i];
            });
}

void Kernels::maxPoolBackward(const MaxPoolBackward& a) {
  eachStrip(*this, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              const std::int64_t at = b * a.columns + column;
              for (std::int32_t n = begin; n < end; n++) {
                storeLive(a.dRows + n * a.columns + column, V{}, live);
              }
              for (int i = 0; i < live; i++) {
                if (a.places[at + i] >= 0)
                  a.dRows[a.places[at + i] * a.columns + column + i] = a.dPooled[at + i];
              }
            });
}

void Kernels::meanPool(const MeanPool& a) {
  constexpr std::int64_t kPartial = 256;  // rows: partial sums keep the rounding error of long sums down
  eachStrip(*this, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              V total = V{};
              for (std::int64_t first = begin; first < end; first += kPartial) {
                V partial = V{};
                for (std::int64_t n = first; n < smaller(end, first + kPartial); n++) {
                  partial += loadLive(a.rows + n * a.columns + column, live);
                }
                total += partial;
              }
              const V mean = begin == end ? V{} : total / static_cast<float>(end - begin);
              storeLive(a.pooled + b * a.columns + column, mean, live);
            });
}

void Kernels::meanPoolBackward(const MeanPoolBackward& a) {
  eachStrip(*this, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              const V d =
                  loadLive(a.dPooled + b * a.columns + column, live) / static_cast<float>(end - begin);
              for (std::int32_t n = begin; n < end; n++) {
                storeLive(a.dRows + n * a.columns + column, d, live);
              }
            });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
