// From the rows of each sequence to one row, and the reverse.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

// One task for each strip of columns, so that the team shares a long sequence: body(begin, end, column, live,
// b), rows begin to end of sequence b.
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

template <>
void run(CpuBackend& kernels, const SegmentReduce& a) {
  if (a.pooling == Pooling::max) {
    eachStrip(kernels, a.sequences, a.columns,
              [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
                V largest = begin == end ? V{} : loadLive(a.rows + begin * a.columns + column, live);
                VI place = VI{} + (begin == end ? -1 : begin);
                for (std::int32_t n = begin + 1; n < end; n++) {
                  const V x = loadLive(a.rows + n * a.columns + column, live);
                  // Nothing replaces the first NaN.
                  const VI taken = (x > largest) | ((x != x) & (largest == largest));
                  largest = taken ? x : largest;
                  place = taken ? VI{} + n : place;
                }
                storeLive(a.out + b * a.columns + column, largest, live);
                if (a.places == nullptr) return;
                for (int i = 0; i < live; i++) a.places[b * a.columns + column + i] = place[i];
              });
    return;
  }
  constexpr std::int64_t kPartial = 256;  // rows; partial sums reduce the rounding error of long sums
  eachStrip(kernels, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              V total = V{};
              for (std::int64_t first = begin; first < end; first += kPartial) {
                V partial = V{};
                for (std::int64_t n = first; n < smaller(end, first + kPartial); n++) {
                  partial += loadLive(a.rows + n * a.columns + column, live);
                }
                total += partial;
              }
              const bool divides = a.pooling == Pooling::mean && begin != end;
              storeLive(a.out + b * a.columns + column,
                        divides ? total / static_cast<float>(end - begin) : total, live);
              // There is no maximum.
              for (int i = 0; a.places != nullptr && i < live; i++) a.places[b * a.columns + column + i] = -1;
            });
}

template <>
void run(CpuBackend& kernels, const SegmentRepeat& a) {
  eachStrip(kernels, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              V value = loadLive(a.values + b * a.columns + column, live);
              if (a.mean) value = value / static_cast<float>(end - begin);
              for (std::int32_t n = begin; n < end; n++) {
                storeLive(a.rows + n * a.columns + column, value, live);
              }
            });
}

template <>
void run(CpuBackend& kernels, const SegmentPlace& a) {
  eachStrip(kernels, a.sequences, a.columns,
            [&](std::int32_t begin, std::int32_t end, std::int64_t column, int live, std::int64_t b) {
              const std::int64_t at = b * a.columns + column;
              for (std::int32_t n = begin; n < end; n++) {
                storeLive(a.rows + n * a.columns + column, V{}, live);
              }
              for (int i = 0; i < live; i++) {
                const std::int32_t place = a.places[at + i];
                if (place >= begin && place < end) a.rows[place * a.columns + column + i] = a.values[at + i];
              }
            });
}

}  // namespace packed_rnn::PACKED_RNN_ISA
