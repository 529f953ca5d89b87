// Dropout whose mask is a function of the element's place.
#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

void Kernels::dropout(const Dropout& a) {
  // An integer threshold, so that every device keeps the same elements. p = 1 keeps none: no integer reaches
  // 2³².
  const auto threshold = static_cast<std::uint64_t>(static_cast<double>(a.p) * 4294967296.0);
  const float scale = a.p < 1.0f ? 1.0f / (1.0f - a.p) : 0.0f;
  const std::int64_t units = a.columns / a.directions;
  auto row = [&](std::int64_t r, std::uint32_t sequence, std::uint32_t t) {
    for (std::int64_t d = 0; d < a.directions; d++) {
      const std::uint32_t stream =
          a.stream * static_cast<std::uint32_t>(a.directions) + static_cast<std::uint32_t>(d);
      const std::int64_t first = r * a.columns + d * units;
      for (std::int64_t u = 0; u < units; u += 4) {
        // 10 bits of stream, 22 of unit / 4: 1,024 layer directions of 16 M units.
        const std::uint32_t place = stream << 22 | static_cast<std::uint32_t>(u / 4);
        const PhiloxBlock random = philox(a.seed, {{place, t, sequence, a.step}});
        for (std::int64_t i = 0; i < smaller(4, units - u); i++) {
          const bool kept = random.word[i] >= threshold;
          a.y[first + u + i] = kept ? a.x[first + u + i] * scale : 0.0f;
        }
      }
    }
  };
  if (a.sequences.count == 0) {
    auto body = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; r++) row(r, static_cast<std::uint32_t>(r), 0);
    };
    return parallelChunks(*this, a.rows, 64, body);
  }
  auto body = [&](std::int64_t b, int) {
    const std::int32_t begin = a.sequences.offsets[b];
    for (std::int64_t r = begin; r < a.sequences.offsets[b + 1]; r++) {
      row(r, static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(r - begin));
    }
  };
  parallel(*this, a.sequences.count, body);
}

}  // namespace packed_rnn::PACKED_RNN_ISA
