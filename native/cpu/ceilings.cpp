// The ceilings of arithmetic and memory for this instruction set and this team. Nothing can be faster, so a
// benchmark reports its times as shares of them.
#include <time.h>

#include "cpu/kernels.h"
#include "cpu/terms.h"

namespace packed_rnn::PACKED_RNN_ISA {

CpuCeilings measure(Backend& backend);

namespace {

constexpr int kRepeats = 3;  // the best one counts: other processes only slow it down

// Independent sums: two units times five cycles need ten.
constexpr int kSums = 12;
constexpr int kSteps = kHasTiles ? 5000 : 50000;
constexpr double kProducts = kHasTiles ? 4.0 * kTileRows / 2 * kTermsAtOnce : kSums;  // of vectors, in a step
constexpr double kFlopsOfTask = 2.0 * kTermDepth * kProducts * kLanes * kSteps;
constexpr int kTasksOfWorker = 32;

// Numbers in each of three arrays, which together exceed the last-level cache of any CPU that this runs on.
constexpr std::int64_t kNumbers = std::int64_t{1} << 24;
constexpr std::int64_t kChunk = std::int64_t{1} << 16;

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The shortest time of some calls of f(), in seconds.
template <class F>
double shortest(F f) {
  double best = 1e9;
  for (int i = 0; i < kRepeats; i++) {
    const double start = now();
    f();
    const double spent = now() - start;
    if (spent < best) best = spent;
  }
  return best;
}

#if defined(PACKED_RNN_TILES)

// As long as two tiles of a and two of b stay in their registers. `numbers` [kLanes] are rows of all of them.
void keepBusy(float* numbers) {
  beginTiles(kTileRows);
  tiles::read<4>(numbers, 0);
  tiles::read<5>(numbers, 0);
  tiles::read<6>(numbers, 0);
  tiles::read<7>(numbers, 0);
  for (int i = 0; i < kSteps; i++) {
    tiles::multiply<0, 4, 6>();
    tiles::multiply<1, 4, 7>();
    tiles::multiply<2, 5, 6>();
    tiles::multiply<3, 5, 7>();
  }
  endTiles();
}

#else

// `numbers` [kLanes] only keeps the compiler from computing this at compile time, or from removing it.
void keepBusy(float* numbers) {
  V sums[kSums];
  for (int j = 0; j < kSums; j++) sums[j] = load(numbers) + static_cast<float>(j);
  const V factor = splat(0.999f);
  const V addend = splat(0.001f);
  V across[kTermDepth];
  for (V& numbersAtK : across) numbersAtK = addend;
  const TermV terms = termsOf(across);
  for (int i = 0; i < kSteps; i++) {
#pragma GCC unroll 12
    for (int j = 0; j < kSums; j++)
      sums[j] = kTermDepth == 1 ? fma(sums[j], factor, addend) : multiplyAdd(terms, terms, sums[j]);
  }
  V total = sums[0];
  for (int j = 1; j < kSums; j++) total += sums[j];
  store(numbers, total);
}

#endif

}  // namespace

CpuCeilings measure(Backend& backend) {
  CpuBackend& cpu = static_cast<CpuBackend&>(backend);
  CpuCeilings found;
  const std::int64_t workers = cpu.team().size();

  Scratch<float> numbers(cpu, workers * kLanes);
  for (std::int64_t i = 0; i < workers * kLanes; i++) numbers[i] = 0.5f;
  auto task = [&](std::int64_t, int worker) { keepBusy(numbers + worker * kLanes); };
  const double one = shortest([&] {
    for (int t = 0; t < kTasksOfWorker; t++) task(t, 0);
  });
  found.flopsOfOne = kTasksOfWorker * kFlopsOfTask / one;
  const double all = shortest([&] { parallel(cpu, workers * kTasksOfWorker, task); });
  found.flopsOfAll = static_cast<double>(workers * kTasksOfWorker) * kFlopsOfTask / all;

  Scratch<float> a(cpu, kNumbers), b(cpu, kNumbers), c(cpu, kNumbers);
  // Pages that were never written all map to the same page of zeros, which is in the cache.
  auto write = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += kLanes) {
      store(a + i, splat(0.0f));
      store(b + i, splat(1.0f));
      store(c + i, splat(2.0f));
    }
  };
  parallelChunks(cpu, kNumbers, kChunk, write);
  auto triad = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += kLanes)
      store(a + i, fma(load(c + i), splat(3.0f), load(b + i)));
  };
  const double pass = shortest([&] { parallelChunks(cpu, kNumbers, kChunk, triad); });
  found.bandwidth = 3.0 * sizeof(float) * kNumbers / pass;
  return found;
}

}  // namespace packed_rnn::PACKED_RNN_ISA
