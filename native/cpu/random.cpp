// Random numbers as functions of their places: dropout, and draws.
#include <utility>

#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

constexpr int kWords = 4;  // of a Philox block

using VU = std::uint32_t __attribute__((vector_size(4 * kLanes)));

PACKED_RNN_INLINE VU splatWord(std::uint32_t x) { return x - VU{}; }

// Both halves of each lane's product with m.
struct Product {
  VU low, high;
};
PACKED_RNN_INLINE Product widened(VU a, std::uint32_t m) {
#if defined(__AVX512F__)
  const __m512i x = reinterpret_cast<__m512i>(a), factor = reinterpret_cast<__m512i>(splatWord(m));
  const __m512i even = _mm512_maskz_mul_epu32(0xFF, x, factor);
  const __m512i odd = _mm512_maskz_mul_epu32(0xFF, _mm512_maskz_srli_epi64(0xFF, x, 32), factor);
  return {reinterpret_cast<VU>(_mm512_mask_mov_epi32(even, 0xAAAA, _mm512_maskz_slli_epi64(0xFF, odd, 32))),
          reinterpret_cast<VU>(_mm512_mask_mov_epi32(_mm512_maskz_srli_epi64(0xFF, even, 32), 0xAAAA, odd))};
#elif defined(__AVX2__)
  const __m256i x = reinterpret_cast<__m256i>(a), factor = reinterpret_cast<__m256i>(splatWord(m));
  const __m256i even = _mm256_mul_epu32(x, factor);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), factor);
  return {reinterpret_cast<VU>(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA)),
          reinterpret_cast<VU>(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA))};
#else
  Product product{};
  for (int i = 0; i < kLanes; i++) {
    const std::uint64_t whole = std::uint64_t{a[i]} * m;
    product.low[i] = static_cast<std::uint32_t>(whole);
    product.high[i] = static_cast<std::uint32_t>(whole >> 32);
  }
  return product;
#endif
}

// Interleaves a and b: their first or their second halves.
template <int first, int... lane>
PACKED_RNN_INLINE VU inTurns(VU a, VU b, std::integer_sequence<int, lane...>) {
  constexpr VI order = {(first + lane / 2 + (lane % 2 == 0 ? 0 : kLanes))...};
  return __builtin_shuffle(a, b, order);
}

// philox() of the kLanes counters {place + lane, t, sequence, step}, one word after the other.
PACKED_RNN_INLINE void philoxWords(std::uint64_t key, std::uint32_t place, std::uint32_t t,
                                   std::uint32_t sequence, std::uint32_t step, VU (&words)[kWords]) {
  VU w0 = splatWord(place), w1 = splatWord(t), w2 = splatWord(sequence), w3 = splatWord(step);
  for (int i = 0; i < kLanes; i++) w0[i] += static_cast<std::uint32_t>(i);
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
    const Product p0 = widened(w0, 0xD2511F53u), p1 = widened(w2, 0xCD9E8D57u);
    w0 = p1.high ^ w1 ^ splatWord(k0);
    w1 = p1.low;
    w2 = p0.high ^ w3 ^ splatWord(k1);
    w3 = p0.low;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  constexpr std::make_integer_sequence<int, kLanes> lanes{};
  constexpr int half = kLanes / 2;
  const VU even[2] = {inTurns<0>(w0, w2, lanes), inTurns<half>(w0, w2, lanes)};
  const VU odd[2] = {inTurns<0>(w1, w3, lanes), inTurns<half>(w1, w3, lanes)};
  for (int i = 0; i < 2; i++) {
    words[2 * i] = inTurns<0>(even[i], odd[i], lanes);
    words[2 * i + 1] = inTurns<half>(even[i], odd[i], lanes);
  }
}

}  // namespace

template <>
void run(CpuBackend& kernels, const Dropout& a) {
  // An integer threshold, so that every device keeps the same elements. With p = 1 no element is kept,
  // because no integer reaches 2³².
  const auto threshold = static_cast<std::uint64_t>(static_cast<double>(a.p) * 4294967296.0);
  if (threshold > UINT32_MAX) return run(kernels, Fill{a.rows * a.columns, 0.0f, nullptr, a.y});
  const VU least = splatWord(static_cast<std::uint32_t>(threshold));
  const float scale = a.p < 1.0f ? 1.0f / (1.0f - a.p) : 0.0f;
  const std::int64_t units = a.columns / a.directions;
  auto row = [&](std::int64_t r, std::uint32_t sequence, std::uint32_t t) {
    for (std::int64_t d = 0; d < a.directions; d++) {
      const std::uint32_t stream =
          a.stream * static_cast<std::uint32_t>(a.directions) + static_cast<std::uint32_t>(d);
      const std::int64_t first = r * a.columns + d * units;
      for (std::int64_t u = 0; u < units; u += kWords * kLanes) {
        // 10 bits of stream, 22 of unit / 4: 1,024 layer directions of 16 M units.
        const std::uint32_t place = stream << 22 | static_cast<std::uint32_t>(u / kWords);
        VU words[kWords];
        philoxWords(a.seed, place, t, sequence, a.step, words);
        for (int i = 0; i < kWords && u + i * kLanes < units; i++) {
          const std::int64_t from = first + u + i * kLanes;
          const int live = static_cast<int>(smaller(kLanes, units - u - i * kLanes));
          const V x = live == kLanes ? load(a.x + from) : loadFirst(a.x + from, live);
          const V y = words[i] >= least ? x * scale : V{};
          live == kLanes ? store(a.y + from, y) : storeFirst(a.y + from, y, live);
        }
      }
    }
  };
  if (a.sequences.count == 0) {
    auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; r++) row(r, static_cast<std::uint32_t>(r), 0);
    };
    return parallelChunks(kernels, a.rows, 64, body);
  }
  auto body = [&](std::int64_t b, int) {
    const std::int32_t begin = a.sequences.offsets[b];
    for (std::int64_t r = begin; r < a.sequences.offsets[b + 1]; r++) {
      row(r, static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(r - begin));
    }
  };
  parallel(kernels, a.sequences.count, body);
}

template <>
void run(CpuBackend& kernels, const Draw& a) {
  auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += kWords) {
      const PhiloxBlock block =
          philox(a.seed, {{static_cast<std::uint32_t>(i / kWords), a.stream, kDrawn, a.step}});
      float numbers[kWords];
      for (int w = 0; w < kWords; w++) numbers[w] = uniformOf(block.word[w]);
      if (a.distribution == Distribution::normal) {
        for (int w = 0; w < kWords; w += 2) {
          // 1 - u is never 0.
          const float radius = __builtin_sqrtf(-2.0f * __builtin_logf(1.0f - numbers[w]));
          const float angle = 6.28318531f * numbers[w + 1];
          numbers[w] = radius * __builtin_cosf(angle);
          numbers[w + 1] = radius * __builtin_sinf(angle);
        }
      }
      for (int w = 0; w < kWords && i + w < a.count; w++) a.out[i + w] = numbers[w];
    }
  };
  parallelChunks(kernels, a.count, 4096, body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
