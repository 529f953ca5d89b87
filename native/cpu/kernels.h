// The CPU backend of one instruction set: every op of backend.h, each family in its own file.
#pragma once

#include "cpu/cpu_backend.h"
#include "cpu/tiles.h"

// The set whose kernels this one uses for all ops without products: itself, or one that differs in products
// alone.
#ifndef PACKED_RNN_PLAIN
#define PACKED_RNN_PLAIN PACKED_RNN_ISA
#endif

namespace packed_rnn {

// The rows that may be nonzero, ascending. The other rows may be uninitialised. Of neighbours that a product
// adds at once (terms.h), either all are listed or none. rows null: all.
struct Live {
  const std::int32_t* rows;
  std::int64_t count;
};
constexpr Live kAllLive = {nullptr, 0};

}  // namespace packed_rnn

namespace packed_rnn::PACKED_RNN_PLAIN {

template <Listed O>
[[gnu::visibility("hidden")]] void run(CpuBackend& kernels, const O& op);

// sums[c] = Σᵣ source[r · stride + c], in the order of r.
void sumColumns(CpuBackend& backend, const float* source, const Live& live, std::int64_t rows,
                std::int64_t columns, std::int64_t stride, float* sums);

// The op SumRows over the live rows of `source`. live is [*]; null: all.
void sumRows(CpuBackend& backend, const SumRows& problem, const std::uint8_t* live);

}  // namespace packed_rnn::PACKED_RNN_PLAIN

namespace packed_rnn::PACKED_RNN_ISA {

class Kernels final : public CpuBackend {
 public:
  explicit Kernels(const CpuOptions& options);

  using Backend::run;
  void run(int op, const void* arguments) override;
  std::int64_t recurrentSavedCount(const RecurrentShape&) const override;
};

// Every op, each family in its own file: see ops/all.h.
template <Listed O>
[[gnu::visibility("hidden")]] void run(CpuBackend& kernels, const O& op);

PACKED_RNN_INLINE std::int64_t roundUp(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}
PACKED_RNN_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
PACKED_RNN_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// Memory that lasts as long as an op.
template <class T>
class Scratch {
 public:
  Scratch(CpuBackend& owner, std::int64_t count)
      : owner_(owner),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(static_cast<T*>(owner.CpuBackend::allocate(bytes_))) {}
  ~Scratch() { owner_.CpuBackend::deallocate(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  operator T*() const { return data_; }

 private:
  CpuBackend& owner_;
  std::size_t bytes_;
  T* data_;
};

// Runs body(task, worker) for each task below `count` on the team; see Team::run.
template <class Body>
void parallel(CpuBackend& backend, std::int64_t count, Body& body) {
  backend.team().run(
      count,
      [](void* context, std::int64_t task, int worker) {
        (*static_cast<Body*>(context))(task, worker);
        endTiles();
      },
      &body);
}

// The same for tasks that wait for each other: at most as many as the team has cores.
template <class Body>
void parallelTogether(CpuBackend& backend, int count, Body& body) {
  backend.team().runTogether(
      count,
      [](void* context, std::int64_t task, int worker) {
        (*static_cast<Body*>(context))(task, worker);
        endTiles();
      },
      &body);
}

// Fixed chunks of rows or elements: body(begin, end). Chunks depend only on `count`.
template <class Body>
void parallelChunks(CpuBackend& backend, std::int64_t count, std::int64_t chunk, Body& body) {
  auto task = [&](std::int64_t t, int) { body(t * chunk, smaller(count, (t + 1) * chunk)); };
  parallel(backend, (count + chunk - 1) / chunk, task);
}

// A matrix in memory: element (r, c) is data[r · stride + c]. If transposed, the operand's element (i, j) is
// the memory's (j, i). If k runs along the memory's rows, `rows` may select them: k is row rows[k], and -1 is
// a row of zeros.
struct Operand {
  const float* data;
  std::int64_t stride;
  const std::int32_t* rows;
  bool transposed;
};

// c = a · b + bias, or += a · b, with `a` [m, k] and b [k, n]. The order of each element's sum depends only
// on the shape, and if `a` is not transposed only on k: neither on the other rows nor on the number of
// threads.
struct Gemm {
  std::int64_t m, n, k;
  Operand a, b;
  float* c;
  std::int64_t stride;  // of a row of c
  const float* bias;    // [n] or null
  bool accumulate;
  float* columnSums;  // [n] or null: the sums of b over k, if `a` is transposed and b is not
  const Term* panels =
      nullptr;  // b as packPanels makes it (pack.h), if `a` is not transposed; null: gemm packs it
  // The live rows of `a`, or if `a` is transposed, the live steps of k. With it there is no bias, and b is
  // not transposed if `a` is.
  Live live = {nullptr, 0};
};
void gemm(CpuBackend& backend, const Gemm& problem);

constexpr std::int64_t kSequencesOfTask = 16;

}  // namespace packed_rnn::PACKED_RNN_ISA
