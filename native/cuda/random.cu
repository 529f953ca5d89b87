// Random numbers as functions of their places: dropout, and draws.
#include "cuda_backend.h"
#include "philox.h"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;

struct Mask {
  Dropout op;
  const std::int32_t* offsets;  // [B + 1] on the device; null: row r is sequence r
  std::uint64_t threshold;
  float scale;
};

// A thread handles the four elements that share a block of random integers.
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) dropoutKernel(const Mask p) {
  const std::int64_t units = p.op.columns / p.op.directions, fours = (units + 3) / 4;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.op.rows * p.op.directions * fours) return;
  const std::int64_t u = i % fours * 4, d = i / fours % p.op.directions, row = i / fours / p.op.directions;
  std::int64_t sequence = row, t = 0;
  if (p.offsets != nullptr) {
    // The last sequence that begins at or before the row; an empty sequence begins where the next one does.
    std::int64_t low = 0, high = p.op.sequences.count;
    while (high - low > 1) {
      const std::int64_t middle = (low + high) / 2;
      (p.offsets[middle] <= row ? low : high) = middle;
    }
    sequence = low;
    t = row - p.offsets[low];
  }
  const std::uint32_t stream =
      p.op.stream * static_cast<std::uint32_t>(p.op.directions) + static_cast<std::uint32_t>(d);
  const std::uint32_t place = stream << 22 | static_cast<std::uint32_t>(u / 4);
  const PhiloxBlock random = philox(
      p.op.seed, {{place, static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(sequence), p.op.step}});
  const std::int64_t first = row * p.op.columns + d * units + u;
#pragma unroll
  for (int e = 0; e < 4; e++) {
    if (u + e >= units) return;
    p.op.y[first + e] = random.word[e] >= p.threshold ? p.op.x[first + e] * p.scale : 0.0f;
  }
}

// A thread draws the four numbers of a block of random integers.
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) drawKernel(const Draw p) {
  const std::int64_t first = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * 4;
  if (first >= p.count) return;
  const PhiloxBlock block =
      philox(p.seed, {{static_cast<std::uint32_t>(first / 4), p.stream, kDrawn, p.step}});
#pragma unroll
  for (int w = 0; w < 4; w += 2) {
    float a = uniformOf(block.word[w]), b = uniformOf(block.word[w + 1]);
    if (p.distribution == Distribution::normal) {
      // 1 - u is never 0.
      const float radius = sqrtf(-2.0f * logf(1.0f - a)), turn = 2.0f * b;
      a = radius * cospif(turn);
      b = radius * sinpif(turn);
    }
    if (first + w < p.count) p.out[first + w] = a;
    if (first + w + 1 < p.count) p.out[first + w + 1] = b;
  }
}

}  // namespace

template <>
void run(CudaBackend& backend, const Dropout& a) {
  const bool ragged = a.sequences.count > 0;
  const std::vector<std::int32_t> host(a.sequences.offsets,
                                       a.sequences.offsets + (ragged ? a.sequences.count + 1 : 0));
  Scratch<std::int32_t> offsets(backend, host);
  const std::int64_t fours = a.rows * a.directions * ((a.columns / a.directions + 3) / 4);
  // As on the CPU. With p = 1 no element is kept, because no integer reaches 2³².
  const auto threshold = static_cast<std::uint64_t>(static_cast<double>(a.p) * 4294967296.0);
  launch(backend.stream(), dropoutKernel, dim3(blocksFor(fours, kThreads)), kThreads, 0,
         Mask{a, offsets, threshold, a.p < 1.0f ? 1.0f / (1.0f - a.p) : 0.0f});
}

template <>
void run(CudaBackend& backend, const Draw& a) {
  launch(backend.stream(), drawKernel, dim3(blocksFor((a.count + 3) / 4, kThreads)), kThreads, 0, a);
}

}  // namespace packed_rnn::cuda
