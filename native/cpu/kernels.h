// The CPU backend of one instruction set: every op of backend.h, each family in its own file.
#pragma once

#include "cpu/cpu_backend.h"
#include "cpu/terms.h"

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
[[gnu::visibility("hidden")]] void run(Kernels& kernels, const O& op);

PACKED_RNN_INLINE std::int64_t roundUp(std::int64_t n, std::int64_t step) {
  return (n + step - 1) / step * step;
}
PACKED_RNN_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
PACKED_RNN_INLINE std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// Memory for the length of an op.
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

// body(task, worker) for each task below `count`, over the team; see Team::run.
template <class Body>
void parallel(CpuBackend& backend, std::int64_t count, Body& body) {
  backend.team().run(
      count,
      [](void* context, std::int64_t task, int worker) { (*static_cast<Body*>(context))(task, worker); },
      &body);
}

// The same for tasks that wait for each other, at most as many as the team has cores.
template <class Body>
void parallelTogether(CpuBackend& backend, int count, Body& body) {
  backend.team().runTogether(
      count,
      [](void* context, std::int64_t task, int worker) { (*static_cast<Body*>(context))(task, worker); },
      &body);
}

// Rows or elements in fixed chunks: body(begin, end). Chunks depend on `count` alone.
template <class Body>
void parallelChunks(CpuBackend& backend, std::int64_t count, std::int64_t chunk, Body& body) {
  auto task = [&](std::int64_t t, int) { body(t * chunk, smaller(count, (t + 1) * chunk)); };
  parallel(backend, (count + chunk - 1) / chunk, task);
}

// A matrix as it lies in memory: element (r, c) is data[r · stride + c]. Transposed, the operand's element
// (i, j) is the memory's (j, i). Where k runs along the memory's rows, `rows` may name them: k is row
// rows[k], -1 a row of zeros.
struct Operand {
  const float* data;
  std::int64_t stride;
  const std::int32_t* rows;
  bool transposed;
};

// Rows that may hold anything but zeros, ascending; the others need not even be written. Of two neighbours
// that share a term (terms.h) both are listed or none. rows null: all.
struct Live {
  const std::int32_t* rows;
  std::int64_t count;
};

// c [m, n] = a [m, k] · b [k, n] + bias, or += a · b. The order of each element's sum depends on the shape
// alone, and where a is not transposed on k alone: neither on the other rows nor on the number of threads.
struct Gemm {
  std::int64_t m, n, k;
  Operand a, b;
  float* c;
  std::int64_t stride;  // of a row of c
  const float* bias;    // [n] or null
  bool accumulate;
  float* columnSums;  // [n] or null: the sums of b over k, where a is transposed and b is not
  const Term* panels =
      nullptr;  // b as packPanels makes it (pack.h), where a is not transposed; null: it is packed
  // Of the rows of the operands' memory that stand for rows of a, or where a is transposed, for steps of k.
  // Then there is no bias, and b is not transposed where a is.
  Live live = {nullptr, 0};
};
void gemm(CpuBackend& backend, const Gemm& problem);

constexpr Live kAllLive = {nullptr, 0};
constexpr std::int64_t kSequencesOfTask = 16;

// sums[c] = Σᵣ source[r · stride + c], in the order of r.
void sumColumns(CpuBackend& backend, const float* source, const Live& live, std::int64_t rows,
                std::int64_t columns, std::int64_t stride, float* sums);

// The op of that name, of the rows of `source` that are live, [*]; null: all.
void sumRows(CpuBackend& backend, const SumRows& problem, const std::uint8_t* live);

}  // namespace packed_rnn::PACKED_RNN_ISA
