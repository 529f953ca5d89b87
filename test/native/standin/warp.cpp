// The work of the last lane that arrives, for its whole warp.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "standin/block.h"
#include "standin/denormals.h"
#include "standin/device.h"

namespace standin {

namespace {

struct Lane {
  std::uint64_t brought, taken;
  int source;
  Fragments fragments;
};
Lane lanes[kMaxThreads];

bool has(unsigned mask, int lane) { return (mask >> lane & 1) != 0; }

void takeFromSource(unsigned first, unsigned mask, const Place& place) {
  for (int i = 0; i < static_cast<int>(kWarp); i++) {
    if (!has(mask, i)) continue;
    Lane& lane = lanes[first + static_cast<unsigned>(i)];
    if (!has(mask, lane.source))
      fail(place, "lane %d takes from lane %d, which the mask 0x%08x lacks", i, lane.source, mask);
    lane.taken = lanes[first + static_cast<unsigned>(lane.source)].brought;
  }
}

void takeBallot(unsigned first, unsigned mask, const Place&) {
  std::uint64_t ballot = 0;
  for (int i = 0; i < static_cast<int>(kWarp); i++)
    if (has(mask, i)) ballot |= lanes[first + static_cast<unsigned>(i)].brought << i;
  for (int i = 0; i < static_cast<int>(kWarp); i++)
    if (has(mask, i)) lanes[first + static_cast<unsigned>(i)].taken = ballot;
}

float number(std::uint32_t word) {
  float x;
  std::memcpy(&x, &word, sizeof x);
  return x;
}
bool isFinite(std::uint32_t word) { return (word & 0x7f800000u) != 0x7f800000u; }
bool isDenormal(std::uint32_t word) { return (word & 0x7f800000u) == 0 && (word & 0x7fffffu) != 0; }

// A tensor core computes with it, while all other arithmetic reads it as 0.
float normalNumber(std::uint32_t word, const Place& place) {
  if (isDenormal(word))
    fail(place, "an operand of a product is denormal: %.9g", static_cast<double>(number(word)));
  return number(word);
}

struct Tf32Operand {
  static constexpr int kPerWord = 1;
  // A tensor core would drop the low bits itself, which is not rounding.
  static float value(std::uint32_t word, int, const Place& place) {
    if ((word & 0x1fffu) != 0 && isFinite(word))
      fail(place, "an operand of a TF32 product was not rounded: %.9g", static_cast<double>(number(word)));
    return normalNumber(word, place);
  }
};
struct Bf16Operand {
  static constexpr int kPerWord = 2;
  static float value(std::uint32_t word, int element, const Place& place) {
    return normalNumber(element != 0 ? word & 0xffff0000u : word << 16, place);
  }
};

// A tensor core aligns the accumulator and the products of a group to the largest of them, truncates each to
// kBits bits, adds these exactly and truncates the sum to a float, group by group. Because it truncates, long
// sums lose a bit of the same sign each time. Measured on sm_80 by Fasi, Higham, Mikaitis and Pranesh
// ("Numerical behavior of NVIDIA tensor cores", 2021); later ones keep a bit or two more.
constexpr int kBits = 25;

constexpr int kColumns = 8;
using Row = double[kColumns];
double powerOfTwo(std::uint64_t biased) { return __builtin_bit_cast(double, biased << 52); }

// sums += the products of a group, in every column.
template <int kGroup>
void addGroup(Row& sums, const Row* products) {
  Row largest;
  for (int n = 0; n < kColumns; n++) largest[n] = std::fabs(sums[n]);
  for (int k = 0; k < kGroup; k++)
    for (int n = 0; n < kColumns; n++) {
      const double size = std::fabs(products[k][n]);
      largest[n] = size > largest[n] ? size : largest[n];
    }
  Row up, down;  // scales the largest to an integer of kBits bits, and back
  for (int n = 0; n < kColumns; n++) {
    constexpr std::uint64_t kLeast = 512;  // for 0; no product of two floats is as small
    const std::uint64_t own = __builtin_bit_cast(std::uint64_t, largest[n]) >> 52;
    const std::uint64_t exponent = own < kLeast ? kLeast : own;
    up[n] = powerOfTwo(2 * 1023 + kBits - 1 - exponent);
    down[n] = powerOfTwo(exponent - (kBits - 1));
  }
  std::int32_t whole[kColumns];
  for (int n = 0; n < kColumns; n++) whole[n] = static_cast<std::int32_t>(sums[n] * up[n]);
  for (int k = 0; k < kGroup; k++)
    for (int n = 0; n < kColumns; n++) whole[n] += static_cast<std::int32_t>(products[k][n] * up[n]);
  constexpr std::uint64_t kOfFloat = ~((std::uint64_t{1} << 29) - 1);
  for (int n = 0; n < kColumns; n++)
    sums[n] = __builtin_bit_cast(double, __builtin_bit_cast(std::uint64_t, whole[n] * down[n]) & kOfFloat);
}

template <class Operand>
void multiplyFragments(unsigned first, unsigned, const Place& place) {
  const KeptDenormals kept;
  constexpr int kPerWord = Operand::kPerWord, K = 8 * kPerWord, kGroup = 4 * kPerWord;
  double a[16][K], b[K][kColumns], d[16][kColumns];
  bool finite = true;
  const auto take = [&](float value) {
    finite = finite && std::isfinite(value);
    return static_cast<double>(value);
  };
  for (int lane = 0; lane < 32; lane++) {
    const int g = lane / 4, t = lane % 4;
    const Fragments& own = lanes[first + static_cast<unsigned>(lane)].fragments;
    for (int e = 0; e < kPerWord; e++) {
      for (int r = 0; r < 4; r++)
        a[g + r % 2 * 8][(t + r / 2 * 4) * kPerWord + e] = take(Operand::value(own.a[r], e, place));
      for (int r = 0; r < 2; r++) b[(t + r * 4) * kPerWord + e][g] = take(Operand::value(own.b[r], e, place));
    }
    for (int r = 0; r < 4; r++) d[g + r / 2 * 8][2 * t + r % 2] = take(own.d[r]);
  }
  for (int row = 0; row < 16; row++) {
    // Most rows of a small product's tiles are padding, which adds nothing.
    if (finite && std::all_of(a[row], a[row] + K, [](double x) { return x == 0; })) continue;
    Row products[K];
    for (int k = 0; k < K; k++)
      for (int n = 0; n < kColumns; n++) products[k][n] = a[row][k] * b[k][n];
    if (finite) {
      for (int k = 0; k < K; k += kGroup) addGroup<kGroup>(d[row], products + k);
    } else {
      for (int k = 0; k < K; k++)
        for (int n = 0; n < kColumns; n++) d[row][n] += products[k][n];
    }
    for (int n = 0; n < kColumns; n++)
      lanes[first + static_cast<unsigned>(row % 8 * 4 + n / 2)].fragments.d[row / 8 * 2 + n % 2] =
          static_cast<float>(d[row][n]);
  }
}

void multiply(const char* name, Complete complete, Fragments* own, const Place& place) {
  if (device().architecture < 80) fail(place, "%s came with sm_80", name);
  lanes[currentThread].fragments = *own;
  meet(name, 0xffffffffu, Order::none, complete, place);
  *own = lanes[currentThread].fragments;
}

}  // namespace

unsigned laneIndex() { return currentThread % kWarp; }

void syncWarp(unsigned mask, const Place& place) { meet("__syncwarp", mask, Order::memory, nullptr, place); }

std::uint32_t ballot(const char* name, unsigned mask, bool predicate, const Place& place) {
  Lane& own = lanes[currentThread];
  own.brought = predicate ? 1 : 0;
  meet(name, mask, Order::none, takeBallot, place);
  return static_cast<std::uint32_t>(own.taken);
}

std::uint64_t shuffle(const char* name, unsigned mask, std::uint64_t brought, int source,
                      const Place& place) {
  Lane& own = lanes[currentThread];
  own.brought = brought;
  own.source = source;
  meet(name, mask, Order::none, takeFromSource, place);
  return own.taken;
}

void multiplyTf32(Fragments* own, const Place& place) {
  multiply("mma.sync of TF32", multiplyFragments<Tf32Operand>, own, place);
}
void multiplyBf16(Fragments* own, const Place& place) {
  multiply("mma.sync of bf16", multiplyFragments<Bf16Operand>, own, place);
}

}  // namespace standin
