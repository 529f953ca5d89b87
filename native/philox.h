// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): random integers as a
// function of a key and a counter. The host (src/random.ts) and every device compute the same integers.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define PACKED_RNN_INLINE __host__ __device__ __forceinline__
#else
// always_inline: copies of these must not be merged between translation units of different instruction sets.
#define PACKED_RNN_INLINE inline __attribute__((always_inline))
#endif

namespace packed_rnn {

struct PhiloxBlock {
  std::uint32_t word[4];
};

PACKED_RNN_INLINE PhiloxBlock philox(std::uint64_t key, PhiloxBlock counter) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key);
  std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; round++) {
    const std::uint64_t p0 = 0xD2511F53ull * counter.word[0];
    const std::uint64_t p1 = 0xCD9E8D57ull * counter.word[2];
    counter = {{static_cast<std::uint32_t>(p1 >> 32) ^ counter.word[1] ^ k0, static_cast<std::uint32_t>(p1),
                static_cast<std::uint32_t>(p0 >> 32) ^ counter.word[3] ^ k1, static_cast<std::uint32_t>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

// The third word of a draw's counters; a mask has a sequence's number there.
constexpr std::uint32_t kDrawn = 0xffffffffu;
// In [0, 1), a multiple of 2^-24.
PACKED_RNN_INLINE float uniformOf(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace packed_rnn
