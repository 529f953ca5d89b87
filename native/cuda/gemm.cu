// Matrix products on tensor cores (sm_80 and later) and without. A block computes a tile of c, and its warps
// compute parts of it, from slabs of a and b. A slab is copied to shared memory while the previous one is
// multiplied.
#include "cuda_backend.h"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr int kDepth = 16;  // of a slab, along k
constexpr int kStages = 3;  // slabs: one is read, two are being copied

// A slab in shared memory, in its operand's layout: with k along a row, or across the rows. Both pitches
// spread the lanes' reads of a fragment over all 32 banks.
template <int kWidth, bool kAlongK>
struct Slab {
  static constexpr int kRows = kAlongK ? kWidth : kDepth;
  static constexpr int kColumns = kAlongK ? kDepth : kWidth;
  static constexpr int kPitch = kAlongK ? kDepth + 4 : kWidth + 8;
  static constexpr int kFloats = kRows * kPitch;

  const float* data;
  __device__ __forceinline__ float at(int i, int k) const {
    return kAlongK ? data[i * kPitch + k] : data[k * kPitch + i];
  }

  // Starts the copies of elements from `first` and k0 on; zeros beyond `last` and `kEnd`. vector: rows can be
  // read in fours and have a multiple of four elements.
  template <int kThreads>
  static __device__ __forceinline__ void fill(float* to, const Operand& from, const float* data, bool vector,
                                              std::int64_t first, std::int64_t last, std::int64_t k0,
                                              std::int64_t kEnd) {
    constexpr int kChunks = kColumns / 4;
    static_assert(kRows * kChunks % kThreads == 0, "every thread copies as much as any other");
#pragma unroll
    for (int i = 0; i < kRows * kChunks / kThreads; i++) {
      const int chunk = i * kThreads + static_cast<int>(threadIdx.x);
      const int row = chunk / kChunks, column = chunk % kChunks * 4;
      const std::int64_t r = (kAlongK ? first : k0) + row, c = (kAlongK ? k0 : first) + column;
      std::int64_t source = -1;
      if (r < (kAlongK ? last : kEnd)) source = from.rows == nullptr ? r : from.rows[r];
      const std::int64_t left = source < 0 ? 0 : (kAlongK ? kEnd : last) - c;
      const float* const p = left > 0 ? data + source * from.stride + c : data;
      float* const target = to + row * kPitch + column;
      if (vector) {
        copyAsync<16>(target, p, left > 0);
      } else {
#pragma unroll
        for (int e = 0; e < 4; e++) copyAsync<4>(target + e, left > e ? p + e : data, left > e);
      }
    }
  }
};

// The arithmetic: sums[m][n] += the product of rows from `i` and columns from `j` of a slab. The layout is
// that of tensor_core.cuh: lane 4 g + t has the elements (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
// of each tile.
struct FloatMath {
  static constexpr bool kTensor = false;
  template <int M, int N, class A, class B>
  static __device__ __forceinline__ void multiply(float (&sums)[M][N][4], A a, B b, int i, int j, int g,
                                                  int t) {
#pragma unroll
    for (int k = 0; k < kDepth; k++) {
      float column[N][2];
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int e = 0; e < 2; e++) column[n][e] = b.at(j + 8 * n + 2 * t + e, k);
#pragma unroll
      for (int m = 0; m < M; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const float row = a.at(i + 16 * m + 8 * half + g, k);
#pragma unroll
          for (int n = 0; n < N; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
              sums[m][n][2 * half + e] = fmaf(row, column[n][e], sums[m][n][2 * half + e]);
            }
        }
    }
  }
};

// One product of TF32, or three products of both parts, which have float32's precision except for its last
// places.
template <bool three>
struct Tf32Math {
  static constexpr bool kTensor = true;
  // `high` is the part of x that TF32 holds, truncated and not rounded, so that it is never larger. `low` is
  // the rest.
  static __device__ __forceinline__ void split(float x, std::uint32_t& high, std::uint32_t& low) {
    high = __float_as_uint(flushed(x)) & 0xffffe000u;
    // An infinity is split into the largest number and an infinite rest. If its high part were infinite, it
    // would be multiplied by a rest of 0, which is NaN.
    if (fabsf(x) == INFINITY) high -= 0x2000u;
    low = Tf32::round(x - __uint_as_float(high));
  }
  template <int M, int N, class A, class B>
  static __device__ __forceinline__ void multiply(float (&sums)[M][N][4], A a, B b, int i, int j, int g,
                                                  int t) {
// With three products the loop is not unrolled: all operands of a slab would not fit in the registers.
#pragma unroll three ? 1 : 2
    for (int k = 0; k < kDepth; k += 8) {
      std::uint32_t column[N][2], columnLow[three ? N : 1][2];
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int r = 0; r < 2; r++) {
          const float x = b.at(j + 8 * n + g, k + t + 4 * r);
          if constexpr (three) {
            split(x, column[n][r], columnLow[n][r]);
          } else {
            column[n][r] = Tf32::round(flushed(x));
          }
        }
#pragma unroll
      for (int m = 0; m < M; m++) {
        std::uint32_t row[4], rowLow[4];
#pragma unroll
        for (int r = 0; r < 4; r++) {
          const float x = a.at(i + 16 * m + g + 8 * (r % 2), k + t + 4 * (r / 2));
          if constexpr (three) {
            split(x, row[r], rowLow[r]);
          } else {
            row[r] = Tf32::round(flushed(x));
          }
        }
        if constexpr (three) {
          // A tensor core truncates its sums instead of rounding. So it adds only eight products, the small
          // ones first.
          float parts[N][4] = {};
#pragma unroll
          for (int n = 0; n < N; n++) Tf32::mma(parts[n], rowLow, column[n][0], column[n][1]);
#pragma unroll
          for (int n = 0; n < N; n++) Tf32::mma(parts[n], row, columnLow[n][0], columnLow[n][1]);
#pragma unroll
          for (int n = 0; n < N; n++) Tf32::mma(parts[n], row, column[n][0], column[n][1]);
#pragma unroll
          for (int n = 0; n < N; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) sums[m][n][e] += parts[n][e];
        } else {
#pragma unroll
          for (int n = 0; n < N; n++) Tf32::mma(sums[m][n], row, column[n][0], column[n][1]);
        }
      }
    }
  }
};

struct Bf16Math {
  static constexpr bool kTensor = true;
  template <int M, int N, class A, class B>
  static __device__ __forceinline__ void multiply(float (&sums)[M][N][4], A a, B b, int i, int j, int g,
                                                  int t) {
    static_assert(kDepth == 16, "one product a slab");
    std::uint32_t column[N][2];
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
      for (int r = 0; r < 2; r++) {
        const int c = j + 8 * n + g, k = 2 * t + 8 * r;
        column[n][r] = Bf16::round(flushed(b.at(c, k)), flushed(b.at(c, k + 1)));
      }
#pragma unroll
    for (int m = 0; m < M; m++) {
      std::uint32_t row[4];
#pragma unroll
      for (int r = 0; r < 4; r++) {
        const int c = i + 16 * m + g + 8 * (r % 2), k = 2 * t + 8 * (r / 2);
        row[r] = Bf16::round(flushed(a.at(c, k)), flushed(a.at(c, k + 1)));
      }
#pragma unroll
      for (int n = 0; n < N; n++) Bf16::mma(sums[m][n], row, column[n][0], column[n][1]);
    }
  }
};

struct Product {
  Gemm g;
  std::int64_t slices, depth;  // each slice has `depth` of k
  float* parts;                // [batch, slices, m, n] if there are several slices
  bool vectorA, vectorB;
};

template <int kRows, int kColumns>
struct Tile {
  // Two by n warps. Each computes 64 x 32 of a large tile, 32 x 32 of a small one.
  static constexpr int kM = kRows / 32, kN = 4;
  static constexpr int kAcross = kColumns / 32, kThreads = 64 * kAcross;
};

// budget<FloatMath>: 255 registers, 0 KB shared, 60 KB dynamic
// budget: 216 registers, 0 KB shared, 60 KB dynamic
template <class Math, int kRows, int kColumns, bool transposeA, bool transposeB>
__global__ void __launch_bounds__(Tile<kRows, kColumns>::kThreads, 1) gemmKernel(const Product p) {
  if constexpr (compiledFor<Math::kTensor>()) {
    using T = Tile<kRows, kColumns>;
    using A = Slab<kRows, !transposeA>;
    using B = Slab<kColumns, transposeB>;
    const Gemm& g = p.g;
    float* const slabs = dynamicShared<float>();  // [stages][a, b]

    const std::int64_t batch = blockIdx.z / p.slices, slice = blockIdx.z % p.slices;
    const std::int64_t m = g.live == nullptr ? g.m : *g.live;
    const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.x) * kRows;
    const std::int64_t column0 = static_cast<std::int64_t>(blockIdx.y) * kColumns;
    if (row0 >= m) return;
    const std::int64_t kBegin = slice * p.depth, kEnd = min(kBegin + p.depth, g.k);
    const float* const a = g.a.data + batch * g.a.next;
    const float* const b = g.b.data + batch * g.b.next;
    const auto fill = [&](int stage, std::int64_t k0) {
      float* const to = slabs + stage * (A::kFloats + B::kFloats);
      if (k0 < kEnd) {
        A::template fill<T::kThreads>(to, g.a, a, p.vectorA, row0, m, k0, kEnd);
        B::template fill<T::kThreads>(to + A::kFloats, g.b, b, p.vectorB, column0, g.n, k0, kEnd);
      }
      commitCopies();  // even if it is empty, because groups are counted
    };

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, gg = lane / 4, t = lane % 4;
    const int i = warp / T::kAcross * 16 * T::kM, j = warp % T::kAcross * 32;
    float sums[T::kM][T::kN][4] = {};
#pragma unroll
    for (int stage = 0; stage < kStages - 1; stage++) fill(stage, kBegin + stage * kDepth);
    int stage = 0;
    for (std::int64_t k0 = kBegin; k0 < kEnd; k0 += kDepth) {
      waitForCopies<kStages - 2>();
      __syncthreads();  // the slab is complete, and no thread reads the slab that is filled next
      fill((stage + kStages - 1) % kStages, k0 + (kStages - 1) * kDepth);
      const float* const slab = slabs + stage * (A::kFloats + B::kFloats);
      Math::multiply(sums, A{slab}, B{slab + A::kFloats}, i, j, gg, t);
      stage = (stage + 1) % kStages;
    }
    waitForCopies<0>();

    const bool whole = p.slices == 1;
    float* const c = whole ? g.c + batch * g.next : p.parts + blockIdx.z * g.m * g.n;
    const std::int64_t stride = whole ? g.stride : g.n;
#pragma unroll
    for (int mt = 0; mt < T::kM; mt++)
#pragma unroll
      for (int nt = 0; nt < T::kN; nt++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const std::int64_t row = row0 + i + 16 * mt + gg + e / 2 * 8,
                             column = column0 + j + 8 * nt + 2 * t + e % 2;
          if (row >= m || column >= g.n) continue;
          float sum = flushed(sums[mt][nt][e]);
          if (whole && g.accumulate) sum += c[row * stride + column];
          if (whole && g.bias != nullptr) sum += g.bias[column];
          c[row * stride + column] = sum;
        }
  }
}

constexpr unsigned kAdders = 256;
// budget: 48 registers, 0 KB shared
__global__ void __launch_bounds__(kAdders) addSlicesKernel(const Product p) {
  const Gemm& g = p.g;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kAdders + threadIdx.x, size = g.m * g.n;
  if (i >= size) return;
  const float* const parts = p.parts + blockIdx.y * p.slices * size + i;
  float sum = parts[0];
  for (std::int64_t s = 1; s < p.slices; s++) sum += parts[s * size];
  float* const c = g.c + blockIdx.y * g.next + i / g.n * g.stride + i % g.n;
  if (g.accumulate) sum += *c;
  if (g.bias != nullptr) sum += g.bias[i % g.n];
  *c = sum;
}

template <class Math, int kRows, int kColumns, bool transposeA, bool transposeB>
void run(CudaBackend& backend, const Product& p) {
  using T = Tile<kRows, kColumns>;
  const dim3 grid(blocksFor(p.g.m, kRows), blocksFor(p.g.n, kColumns),
                  static_cast<unsigned>(p.g.batch * p.slices));
  const std::size_t shared =
      kStages * (Slab<kRows, !transposeA>::kFloats + Slab<kColumns, transposeB>::kFloats) * sizeof(float);
  launch(backend.stream(), gemmKernel<Math, kRows, kColumns, transposeA, transposeB>, grid, T::kThreads,
         shared, p);
}

// A large tile reuses each load twice as often as a small one. It is used if it leaves no multiprocessors
// idle. The choice does not change any bit.
template <class Math>
void choose(CudaBackend& backend, const Product& p) {
  const Gemm& g = p.g;
  const std::int64_t large = blocksFor(g.m, 128) * blocksFor(g.n, 128) * g.batch * p.slices;
  const bool small = large < backend.properties().multiProcessorCount || g.n <= 64 || g.m <= 64;
  if (g.a.transposed && g.b.transposed) return run<Math, 64, 64, true, true>(backend, p);
  if (g.a.transposed)
    return small ? run<Math, 64, 64, true, false>(backend, p) : run<Math, 128, 128, true, false>(backend, p);
  if (g.b.transposed)
    return small ? run<Math, 64, 64, false, true>(backend, p) : run<Math, 128, 128, false, true>(backend, p);
  return small ? run<Math, 64, 64, false, false>(backend, p) : run<Math, 128, 128, false, false>(backend, p);
}

bool inFours(const Operand& o, std::int64_t width) {
  return o.stride % 4 == 0 && width % 4 == 0 && o.next % 4 == 0 &&
         reinterpret_cast<std::uintptr_t>(o.data) % 16 == 0;
}

}  // namespace

void gemm(CudaBackend& backend, const Gemm& g) {
  if (g.m == 0 || g.n == 0 || g.batch == 0) return;
  Product p{
      g, 1, g.k, nullptr, inFours(g.a, g.a.transposed ? g.m : g.k), inFours(g.b, g.b.transposed ? g.k : g.n)};
  // Slices of at least 512, as many as make 256 tiles. This depends only on the shape, so a sum has the same
  // order on every device.
  constexpr std::int64_t kSlice = 512, kTiles = 256;
  const std::int64_t tiles = static_cast<std::int64_t>(blocksFor(g.m, 64)) * blocksFor(g.n, 64) * g.batch;
  if (g.a.transposed && tiles < kTiles) {
    const std::int64_t wanted = (kTiles + tiles - 1) / tiles;
    const std::int64_t depth = ((g.k + wanted - 1) / wanted + kDepth - 1) / kDepth * kDepth;
    p.depth = depth > kSlice ? depth : kSlice;
    p.slices = (g.k + p.depth - 1) / p.depth;
    if (p.slices < 2) p.slices = 1;
  }
  Scratch<float> parts(backend, p.slices > 1 ? g.batch * p.slices * g.m * g.n : 0);
  p.parts = parts;
  switch (backend.precision()) {
    case Precision::float32:
      backend.hasTensorCores() ? choose<Tf32Math<true>>(backend, p) : choose<FloatMath>(backend, p);
      break;
    case Precision::tf32:
      choose<Tf32Math<false>>(backend, p);
      break;
    case Precision::bfloat16:
      choose<Bf16Math>(backend, p);
      break;
  }
  if (p.slices == 1) return;
  launch(backend.stream(), addSlicesKernel,
         dim3(blocksFor(g.m * g.n, kAdders), static_cast<unsigned>(g.batch)), kAdders, 0, p);
}

template <>
void run(CudaBackend& backend, const Matmul& a) {
  gemm(backend, {a.m, a.n, a.k, Operand{a.a, a.transposeA ? a.m : a.k, nullptr, a.transposeA},
                 Operand{a.b, a.transposeB ? a.k : a.n, nullptr, a.transposeB}, a.c, a.n, a.bias});
}

template <>
void run(CudaBackend& backend, const BatchMatmul& p) {
  if (p.batch == 0) return;
  const std::int64_t nextA = p.sameA ? 0 : p.m * p.k, nextB = p.sameB ? 0 : p.k * p.n;
  Gemm g{p.m,
         p.n,
         p.k,
         Operand{p.a, p.transposeA ? p.m : p.k, nullptr, p.transposeA, nextA},
         Operand{p.b, p.transposeB ? p.k : p.n, nullptr, p.transposeB, nextB},
         p.c,
         p.n};
  g.batch = p.batch;
  g.next = p.m * p.n;
  gemm(backend, g);
}

}  // namespace packed_rnn::cuda
