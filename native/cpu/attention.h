// The part that both kinds of attention share: tasks, products of rows, and weighted sums of rows.
#pragma once

#include "cpu/row.h"

namespace packed_rnn::PACKED_RNN_ISA {

// One sequence of both batches.
struct Meeting {
  std::int64_t query, queries;  // the first, and how many
  std::int64_t key, keys;
  std::int64_t weight;  // the first of queries · keys
};

// body(meeting, begin, end) for rows begin to end of a sequence, counted from its first: of its keys, or of
// its queries. `work`: multiply-adds or similar of a pair. Sequences of little work share a task.
template <class Body>
void eachPart(CpuBackend& kernels, const Sequences& queries, const Sequences& keys, bool ofKeys,
              std::int64_t work, Body body) {
  constexpr std::int64_t kRows = 16, kWork = 1 << 15;
  struct Part {
    Meeting meeting;
    std::int64_t begin;
  };
  const Sequences& split = ofKeys ? keys : queries;
  std::int64_t count = 0;
  for (std::int64_t b = 0; b < split.count; b++)
    count += (split.offsets[b + 1] - split.offsets[b] + kRows - 1) / kRows;
  Scratch<Part> parts(kernels, count);
  std::int64_t next = 0, weight = 0;
  for (std::int64_t b = 0; b < split.count; b++) {
    const Meeting m = {queries.offsets[b], queries.offsets[b + 1] - queries.offsets[b], keys.offsets[b],
                       keys.offsets[b + 1] - keys.offsets[b], weight};
    for (std::int64_t r = 0; r < (ofKeys ? m.keys : m.queries); r += kRows) parts[next++] = {m, r};
    weight += m.queries * m.keys;
  }
  auto some = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t t = first; t < last; t++) {
      const Part& part = parts[t];
      const std::int64_t rows = ofKeys ? part.meeting.keys : part.meeting.queries;
      body(part.meeting, part.begin, smaller(rows, part.begin + kRows));
    }
  };
  const std::int64_t each = count == 0 ? 1 : larger(1, times(weight, work) / count);
  parallelChunks(kernels, count, larger(1, kWork / each), some);
}

// Rows of a block, whose sums stay in registers.
constexpr int kBlock = 4;
constexpr int kBlockVectors = kLanes == 16 ? 4 : 2;

// out[i · stride + j] = scale a[i] · b[j] for R rows of a and K rows of b.
template <int R, int K>
PACKED_RNN_INLINE void blockOfProducts(const float* a, const float* b, std::int64_t width, float scale,
                                       float* out, std::int64_t stride) {
  V sums[R][K] = {};
  const auto step = [&](std::int64_t i, int n) {
    V left[R];
    for (int r = 0; r < R; r++) left[r] = loadSome(a + r * width + i, n);
    for (int k = 0; k < K; k++) {
      const V right = loadSome(b + k * width + i, n);
      for (int r = 0; r < R; r++) sums[r][k] = fma(left[r], right, sums[r][k]);
    }
  };
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) step(i, kLanes);
  if (i < width) step(i, static_cast<int>(width - i));
  for (int r = 0; r < R; r++)
    for (int k = 0; k < K; k++) out[r * stride + k] = scale * sumOfLanes(sums[r][k]);
}

// The same for m rows of a and n rows of b. Each product's sum has the same order in any block.
inline void productsOfRows(const float* a, std::int64_t m, const float* b, std::int64_t n, std::int64_t width,
                           float scale, float* out, std::int64_t stride) {
  for (std::int64_t i = 0, rows; i < m; i += rows) {
    rows = m - i >= kBlock ? kBlock : 1;
    for (std::int64_t j = 0, keys; j < n; j += keys) {
      keys = n - j >= kBlockVectors ? kBlockVectors : 1;
      const float *const left = a + i * width, *const right = b + j * width;
      float* const to = out + i * stride + j;
      if (rows == kBlock && keys == kBlockVectors) {
        blockOfProducts<kBlock, kBlockVectors>(left, right, width, scale, to, stride);
      } else if (rows == kBlock) {
        blockOfProducts<kBlock, 1>(left, right, width, scale, to, stride);
      } else if (keys == kBlockVectors) {
        blockOfProducts<1, kBlockVectors>(left, right, width, scale, to, stride);
      } else {
        blockOfProducts<1, 1>(left, right, width, scale, to, stride);
      }
    }
  }
}

// out[r] = Σ_s factor(r, s) source[s] in the order of s, where factor(r, s) is factors[r · row + s · step].
struct Mixture {
  const float* factors;
  std::int64_t row, step;
  const float* source;
  float* out;
  std::int64_t columns;

  // Rows [0, rows); row r over the s in [from(r), to(r)). Neither decreases from row to row.
  template <class From, class To>
  void mix(std::int64_t rows, From from, To to) const {
    for (std::int64_t r = 0, live; r < rows; r += live) {
      live = rows - r >= kBlock ? kBlock : 1;
      const std::int64_t begin = from(r + live - 1), end = to(r);  // what the rows share
      if (live == 1 || begin >= end) {
        for (std::int64_t i = r; i < r + live; i++) add<1>(i, from(i), to(i), true);
        continue;
      }
      const bool fresh = from(r) == begin;
      for (std::int64_t i = r; !fresh && i < r + live; i++) add<1>(i, from(i), begin, true);
      add<kBlock>(r, begin, end, fresh);
      for (std::int64_t i = r; i < r + live; i++)
        if (to(i) > end) add<1>(i, end, to(i), false);
    }
  }

 private:
  template <int R>
  void add(std::int64_t r, std::int64_t from, std::int64_t to, bool fresh) const {
    std::int64_t c = 0;
    for (; c + kBlockVectors * kLanes <= columns; c += kBlockVectors * kLanes)
      strip<R, kBlockVectors>(r, from, to, fresh, c, kLanes);
    for (; c < columns; c += kLanes)
      strip<R, 1>(r, from, to, fresh, c, static_cast<int>(smaller(kLanes, columns - c)));
  }
  template <int R, int W>
  PACKED_RNN_INLINE void strip(std::int64_t r, std::int64_t from, std::int64_t to, bool fresh, std::int64_t c,
                               int n) const {
    float* const to0 = out + r * columns + c;
    V sums[R][W] = {};
    for (int i = 0; !fresh && i < R; i++)
      for (int w = 0; w < W; w++) sums[i][w] = loadSome(to0 + i * columns + w * kLanes, n);
    const float* factor = factors + r * row + from * step;
    const float* x = source + from * columns + c;
    for (std::int64_t s = from; s < to; s++, factor += step, x += columns) {
      V across[W];
      for (int w = 0; w < W; w++) across[w] = loadSome(x + w * kLanes, n);
      for (int i = 0; i < R; i++)
        for (int w = 0; w < W; w++) sums[i][w] = fma(splat(factor[i * row]), across[w], sums[i][w]);
    }
    for (int i = 0; i < R; i++)
      for (int w = 0; w < W; w++) storeSome(to0 + i * columns + w * kLanes, sums[i][w], n);
  }
};

// ---- What follows from scores, and from the gradient of contexts.

// Turns the scores of a query into weights; those past the first `live` become 0.
PACKED_RNN_INLINE void weighRow(float* scores, std::int64_t live, std::int64_t keys) {
  softmaxRow(scores, scores, live, false);
  for (std::int64_t j = live; j < keys; j++) scores[j] = 0.0f;
}

// How many keys query i of a sequence attends to.
PACKED_RNN_INLINE std::int64_t keysOf(std::int64_t i, std::int64_t keys, bool causal) {
  return causal ? smaller(keys, i + 1) : keys;
}

}  // namespace packed_rnn::PACKED_RNN_ISA
