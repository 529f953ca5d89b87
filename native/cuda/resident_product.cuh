// The recurrent products of the resident path, on tensor cores and without. A block of kUnits · 4 threads
// holds the weights of kUnits units with kColumns columns each. This file defines how, and which results of W
// h for all slots, or of Wᵀ δ, a thread gets.
#pragma once

#include "math.cuh"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

constexpr int kSlots = 8;  // the columns of a tensor core's product
// In float32 the weights of more columns do not fit in a block's registers next to the sums.
constexpr int kMostFloatColumns = 256;

struct HiddenWeights {
  const float* of[2];  // [G·H, H] of each direction, without denormals
  int gate[4];         // the gate of each column; -1: zeros
  int hidden;          // H; units and inputs from H on are padding with weights of 0
  __device__ __forceinline__ float at(int direction, int column, int unit, int k) const {
    if (gate[column] < 0 || unit >= hidden || k >= hidden) return 0;
    return of[direction][static_cast<std::int64_t>(gate[column] * hidden + unit) * hidden + k];
  }
};

// A thread's share of the weights, in words. The first words are in registers, the rest in the block's
// dynamic shared memory.
template <int kWords, int kThreads, int kMost = 64>
struct HeldWords {
  static constexpr int kHeld = kWords < kMost ? kWords : kMost;
  static constexpr std::size_t kSharedBytes = std::size_t{kWords - kHeld} * 4 * kThreads;

  std::uint32_t held[kHeld];
  uint4* rest;  // [(kWords - kHeld) / 4][kThreads]

  // word(i) computes word i.
  template <class Word>
  __device__ __forceinline__ void load(Word word) {
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      held[i] = word(i);
      // A few at a time: all loads at once would need twice the registers.
      if (i % 8 == 7) keepOrder();
    }
    if constexpr (kWords > kHeld) {
      rest = dynamicShared<uint4>() + threadIdx.x;
      // Only this thread reads them, so there is no barrier.
      for (int i = kHeld; i < kWords; i += 4) {
        rest[(i - kHeld) / 4 * kThreads] = make_uint4(word(i), word(i + 1), word(i + 2), word(i + 3));
      }
    }
  }
  __device__ __forceinline__ void four(int i, std::uint32_t (&to)[4]) const {
    if (4 * i < kHeld) {
#pragma unroll
      for (int e = 0; e < 4; e++) to[e] = held[4 * i + e];
    } else {
      const uint4 w = readShared(rest + (i - kHeld / 4) * kThreads);
      to[0] = w.x, to[1] = w.y, to[2] = w.z, to[3] = w.w;
    }
  }
};

// The recurrent product on tensor cores. Forward: warp w has the columns of units 8w to 8w + 7, in tiles of
// two columns. So a thread's sums are all columns of one unit in two slots, and the cell needs no exchange.
template <class Operand, int kUnits, int kColumns>
struct TensorProduct {
  static constexpr bool kTensor = true;
  using Math = Approximate;
  static constexpr int kThreads = kUnits * 4, kPer = Operand::kPerWord;
  // A product waits for the previous one of its chain. There are two chains, unless there are enough warps to
  // fill the wait.
  static constexpr int kChains = kThreads < 512 ? 2 : 1;

  struct Forward {
    static constexpr int kTiles = (kColumns + 1) / 2, kSteps = kUnits / kPer / 8;
    static constexpr int kPitch = kUnits / kPer + 4;  // + 4: the lanes of a fragment use all 32 banks
    // 512 threads have 128 registers each. The cell and addresses need more than half of them. The other
    // words of TF32 take 160 KB, which sm_90 and sm_100 have.
    static constexpr int kMost = kThreads < 512 ? 64 : kPer == 1 ? 48 : 40;
    using Words = HeldWords<kTiles * kSteps * 4, kThreads, kMost>;
    Words words;

    __device__ __forceinline__ Forward(const HiddenWeights& weights, int direction) {
      const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
      words.load([&](int i) {
        const int r = i % 4, step = i / 4 / kTiles, column = i / 4 % kTiles * 2 + r % 2;
        return operand([&](int e) {
          return column < kColumns
                     ? weights.at(direction, column, warp * 8 + g, kPer * (8 * step + t + r / 2 * 4) + e)
                     : 0.0f;
        });
      });
    }
    static __device__ __forceinline__ int unit() { return threadIdx.x / 4; }
    static __device__ __forceinline__ int slot(int j) { return threadIdx.x % 4 * 2 + j; }

    // sums[j][q] += column q of unit() in slot(j), from the h of all slots
    __device__ __forceinline__ void multiply(const std::uint32_t* h, float (&sums)[2][kColumns]) const {
      const int lane = threadIdx.x % 32;
      const std::uint32_t* const own = h + lane / 4 * kPitch + lane % 4;
      float parts[kChains][kTiles][4] = {};
#pragma unroll
      for (int j = 0; j < 2; j++)
#pragma unroll
        for (int q = 0; q < kColumns; q++) parts[0][q / 2][q % 2 * 2 + j] = sums[j][q];
#pragma unroll
      for (int step = 0; step < kSteps; step++) {
        const std::uint32_t b0 = own[step * 8], b1 = own[step * 8 + 4];
#pragma unroll
        for (int tile = 0; tile < kTiles; tile++) {
          std::uint32_t a[4];
          words.four(step * kTiles + tile, a);
          Operand::mma(parts[step % kChains][tile], a, b0, b1);
        }
      }
#pragma unroll
      for (int j = 0; j < 2; j++)
#pragma unroll
        for (int q = 0; q < kColumns; q++) {
          sums[j][q] = parts[0][q / 2][q % 2 * 2 + j];
          if constexpr (kChains == 2) sums[j][q] += parts[1][q / 2][q % 2 * 2 + j];
        }
    }
    static __device__ __forceinline__ void store(std::uint32_t* h, int slot, int unit, float value) {
      put(h + slot * kPitch, unit, value);
    }
  };

  // dh = Whhᵀ δ in tiles of 16 units. δ is split over two groups of warps, whose sums are combined in shared
  // memory. A thread owns one unit in two slots.
  struct Backward {
    static constexpr int kUnitTiles = kUnits / 16, kGroups = 2, kAhead = kThreads / kUnits;
    static constexpr int kSteps = kColumns * kUnits / kPer / 8 / kGroups;
    static constexpr int kPitch = kColumns * kUnits / kPer + 4, kPartPitch = kUnits + 4;
    static constexpr int kParts = kGroups * kSlots * kPartPitch;
    // Fewer words for bf16: rounding pairs of them before the loop also needs registers.
    static constexpr int kMost = kThreads < 512 || kPer == 1 ? 64 : 28;
    using Words = HeldWords<kSteps * 4, kThreads, kMost>;
    Words words;

    __device__ __forceinline__ Backward(const HiddenWeights& weights, int direction) {
      const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
      const int tile = warp % kUnitTiles, group = warp / kUnitTiles;
      words.load([&](int i) {
        const int r = i % 4, step = i / 4;
        return operand([&](int e) {
          const int k = kPer * (8 * (group * kSteps + step) + t + r / 2 * 4) + e;  // unit · Q + column
          return weights.at(direction, k % kColumns, k / kColumns, tile * 16 + g + r % 2 * 8);
        });
      });
    }
    static __device__ __forceinline__ int unit() { return threadIdx.x % kUnits; }
    static __device__ __forceinline__ int slot(int j) { return threadIdx.x / kUnits + kAhead * j; }

    __device__ __forceinline__ void multiply(const std::uint32_t* deltas, float* parts) {
      const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
      const int tile = warp % kUnitTiles, group = warp / kUnitTiles;
      const std::uint32_t* const own = deltas + g * kPitch + group * kSteps * 8 + t;
      float sums[kChains][4] = {};
#pragma unroll
      for (int step = 0; step < kSteps; step++) {
        std::uint32_t a[4];
        words.four(step, a);
        Operand::mma(sums[step % kChains], a, own[step * 8], own[step * 8 + 4]);
      }
      float* const part = parts + (group * kSlots + 2 * t) * kPartPitch + tile * 16 + g;
#pragma unroll
      for (int e = 0; e < 4; e++) {
        part[e % 2 * kPartPitch + e / 2 * 8] = kChains == 2 ? sums[0][e] + sums[kChains - 1][e] : sums[0][e];
      }
    }
    // The product's element for unit() in slot(j), after the barrier that follows multiply.
    __device__ __forceinline__ float sum(const float* parts, int j) const {
      const float* const part = parts + slot(j) * kPartPitch + unit();
      return part[0] + part[kSlots * kPartPitch];
    }
    static __device__ __forceinline__ void store(std::uint32_t* deltas, int slot, int unit,
                                                 const float (&delta)[kColumns]) {
#pragma unroll
      for (int q = 0; q < kColumns; q++) put(deltas + slot * kPitch, unit * kColumns + q, delta[q]);
    }
  };

 private:
  // A word from the values of number(e).
  template <class Number>
  static __device__ __forceinline__ std::uint32_t operand(Number number) {
    if constexpr (kPer == 1) {
      return Operand::round(number(0));
    } else {
      return Operand::round(number(0), number(1));
    }
  }
  static __device__ __forceinline__ void put(std::uint32_t* words, int i, float x) {
    if constexpr (kPer == 1) {
      words[i] = Operand::round(flushed(x));
    } else {
      reinterpret_cast<std::uint16_t*>(words)[i] = Operand::round(flushed(x));
    }
  }
};

// The same in float32 without tensor cores. A thread has the columns of one unit for a quarter of k, in
// groups of four that alternate with those of its three neighbours. Then the four threads add their quarters.
template <int kUnits, int kColumns>
struct FloatProduct {
  static constexpr bool kTensor = false;
  using Math = Accurate;
  static constexpr int kThreads = kUnits * 4;

  // The sums of all slots for `kRows` rows of the weights. Word i (of kFours · 4) of row r is words[r kFours
  // + i / 4]. x has kPitch floats for each slot. Adds to total[j][r] for slots 2 t + j.
  template <int kRows, int kFours, int kPitch, class Words>
  static __device__ __forceinline__ void multiply(const Words& words, const float* x,
                                                  float (&total)[2][kRows]) {
    const int t = threadIdx.x % 4;
    // All slots at once if there are enough registers, otherwise half of them.
    constexpr int kGroup = kRows > 1 && kUnits > 64 ? 4 : 8;
#pragma unroll
    for (int first = 0; first < kSlots; first += kGroup) {
      float sums[kGroup][kRows] = {};
#pragma unroll
      for (int i = 0; i < kFours; i++) {
        float4 values[kGroup];
#pragma unroll
        for (int s = 0; s < kGroup; s++) {
          values[s] = *reinterpret_cast<const float4*>(x + (first + s) * kPitch + 16 * i + 4 * t);
        }
#pragma unroll
        for (int r = 0; r < kRows; r++) {
          std::uint32_t w[4];
          words.four(r * kFours + i, w);
#pragma unroll
          for (int s = 0; s < kGroup; s++) {
            sums[s][r] = fmaf(__uint_as_float(w[0]), values[s].x, sums[s][r]);
            sums[s][r] = fmaf(__uint_as_float(w[1]), values[s].y, sums[s][r]);
            sums[s][r] = fmaf(__uint_as_float(w[2]), values[s].z, sums[s][r]);
            sums[s][r] = fmaf(__uint_as_float(w[3]), values[s].w, sums[s][r]);
          }
        }
      }
      // Lane t keeps slots 2 t and 2 t + 1: of all eight, or if only half are done, those that are in the
      // half.
#pragma unroll
      for (int r = 0; r < kRows; r++) {
        float pair[4];
#pragma unroll
        for (int s = 0; s < 4; s++) {
          if constexpr (kGroup == 8) {
            const float give = t < 2 ? sums[s + 4][r] : sums[s][r],
                        keep = t < 2 ? sums[s][r] : sums[s + 4][r];
            pair[s] = keep + __shfl_xor_sync(0xffffffffu, give, 2);
          } else {
            pair[s] = sums[s][r] + __shfl_xor_sync(0xffffffffu, sums[s][r], 2);
          }
        }
#pragma unroll
        for (int j = 0; j < 2; j++) {
          const float give = t % 2 == 0 ? pair[2 + j] : pair[j], keep = t % 2 == 0 ? pair[j] : pair[2 + j];
          const float sum = keep + __shfl_xor_sync(0xffffffffu, give, 1);
          if (kGroup == 8 || t / 2 == first / 4) total[j][r] += sum;
        }
      }
    }
  }

  struct Forward {
    static constexpr int kFours = kUnits / 16, kPitch = kUnits + 4;
    using Words = HeldWords<kColumns * kFours * 4, kThreads>;
    Words words;
    __device__ __forceinline__ Forward(const HiddenWeights& weights, int direction) {
      words.load([&](int i) {
        const int k = i / 4 % kFours * 16 + threadIdx.x % 4 * 4 + i % 4;
        return __float_as_uint(weights.at(direction, i / 4 / kFours, unit(), k));
      });
    }
    static __device__ __forceinline__ int unit() { return threadIdx.x / 4; }
    static __device__ __forceinline__ int slot(int j) { return threadIdx.x % 4 * 2 + j; }
    __device__ __forceinline__ void multiply(const std::uint32_t* h, float (&sums)[2][kColumns]) const {
      FloatProduct::multiply<kColumns, kFours, kPitch>(words, reinterpret_cast<const float*>(h), sums);
    }
    static __device__ __forceinline__ void store(std::uint32_t* h, int slot, int unit, float value) {
      h[slot * kPitch + unit] = __float_as_uint(value);
    }
  };

  struct Backward {
    static constexpr int kFours = kColumns * kUnits / 16, kPitch = kColumns * kUnits + 4;
    static constexpr int kParts = 1;  // unused: the sums stay in registers
    using Words = HeldWords<kFours * 4, kThreads>;
    Words words;
    float sums[2][1] = {};
    __device__ __forceinline__ Backward(const HiddenWeights& weights, int direction) {
      words.load([&](int i) {
        const int k = i / 4 * 16 + threadIdx.x % 4 * 4 + i % 4;
        return __float_as_uint(weights.at(direction, k % kColumns, k / kColumns, unit()));
      });
    }
    static __device__ __forceinline__ int unit() { return threadIdx.x / 4; }
    static __device__ __forceinline__ int slot(int j) { return threadIdx.x % 4 * 2 + j; }
    __device__ __forceinline__ void multiply(const std::uint32_t* deltas, float*) {
      sums[0][0] = sums[1][0] = 0;
      FloatProduct::multiply<1, kFours, kPitch>(words, reinterpret_cast<const float*>(deltas), sums);
    }
    __device__ __forceinline__ float sum(const float*, int j) const { return sums[j][0]; }
    static __device__ __forceinline__ void store(std::uint32_t* deltas, int slot, int unit,
                                                 const float (&delta)[kColumns]) {
#pragma unroll
      for (int q = 0; q < kColumns; q++)
        deltas[slot * kPitch + unit * kColumns + q] = __float_as_uint(delta[q]);
    }
  };
};

}  // namespace packed_rnn::cuda
