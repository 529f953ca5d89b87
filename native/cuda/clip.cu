// Clipping of many gradients in one op, by their norm or each value separately.
#include "chunks.cuh"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

struct Values {
  const Chunk* chunks;
  float* const* values;      // [tensors]
  const GradientRows* rows;  // [tensors]; the chunks cover whole gradients
  float* parts;              // [chunks]
  std::int64_t count;        // chunks
  const float* norm;         // {total, coefficient}
  float* total;
  float bound;  // maxNorm or limit
  bool largest;
  std::int32_t* refused;  // [1], optional; `refusal` is for the host
  Refusal* refusal;
  const Fault* fault;  // what an earlier op has found
};

// f(x) for those of this thread's elements of a chunk of a table's gradient that are in rows. A thread has
// the same elements, in the same order, as with a dense gradient.
template <class F>
__device__ __forceinline__ void eachOfRows(const GradientRows& rows, const float* values, const Chunk& chunk,
                                           F f) {
  std::int64_t u = 0;  // the first row that extends past the chunk's begin
  for (std::int64_t after = rows.count; u < after;) {
    const std::int64_t middle = (u + after) / 2;
    if ((rows.ids[middle] + std::int64_t{1}) * rows.columns > chunk.begin) {
      after = middle;
    } else {
      u = middle + 1;
    }
  }
  for (; u < rows.count && rows.ids[u] * rows.columns < chunk.end; u++) {
    const std::int64_t start = rows.ids[u] * rows.columns;
    const std::int64_t end = start + rows.columns < chunk.end ? start + rows.columns : chunk.end;
    const std::int64_t first = (start > chunk.begin ? start : chunk.begin) - chunk.begin;
    const std::int64_t skipped = (threadIdx.x + kThreads - first % kThreads) % kThreads;
    for (std::int64_t i = chunk.begin + first + skipped; i < end; i += kThreads)
      f(values[u * rows.columns + i - start]);
  }
}

// budget: 64 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) normPartsKernel(const Values p) {
  const Chunk chunk = p.chunks[blockIdx.x];
  const float* const values = p.values[chunk.tensor];
  float part = 0;
  const auto add = [&](float x) { part = p.largest ? Accurate::max(part, fabsf(x)) : fmaf(x, x, part); };
  if (!p.rows[chunk.tensor].dense()) {
    eachOfRows(p.rows[chunk.tensor], values, chunk, add);
  } else {
    for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads) add(values[i]);
  }
  part = p.largest ? blockReduce(part, [](float a, float b) { return Accurate::max(a, b); }) : blockSum(part);
  if (threadIdx.x == 0) p.parts[blockIdx.x] = part;
}

// budget: 40 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) normKernel(const Values p) {
  float most = 0;
  double squares = 0;
  std::int64_t infinite = p.count - 1;  // the first part that is infinite; the last part if only the sum is
  for (std::int64_t i = threadIdx.x; i < p.count; i += kThreads) {
    most = Accurate::max(most, p.parts[i]);
    squares += static_cast<double>(p.parts[i]);
    if (!isfinite(p.parts[i]) && i < infinite) infinite = i;
  }
  infinite = blockReduce(infinite, [](std::int64_t a, std::int64_t b) { return a < b ? a : b; });
  most = blockReduce(most, [](float a, float b) { return Accurate::max(a, b); });
  squares = blockSum(squares);
  if (threadIdx.x > 0) return;
  const float norm = p.largest ? most : static_cast<float>(Accurate::root(squares));
  // PyTorch's coefficient; NaN passes through the comparison, as in PyTorch.
  const float coefficient = p.bound / (norm + 1e-6f);
  p.total[0] = norm;
  p.total[1] = coefficient > 1.0f ? 1.0f : coefficient;
  if (p.refused == nullptr) return;
  const bool finite = isfinite(norm);
  *p.refused = finite && p.fault->what == 0 ? 0 : 1;
  *p.refusal = {*p.refused, finite ? -1 : static_cast<std::int32_t>(p.chunks[infinite].tensor), norm};
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) scaleKernel(const Values p) {
  const Chunk chunk = p.chunks[blockIdx.x];
  float* const values = p.values[chunk.tensor];
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads) values[i] *= p.norm[1];
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) clampKernel(const Values p) {
  const Chunk chunk = p.chunks[blockIdx.x];
  float* const values = p.values[chunk.tensor];
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads) {
    float x = values[i];
    x = x > p.bound ? p.bound : x;
    values[i] = x < -p.bound ? -p.bound : x;
  }
}

}  // namespace

template <>
void run(CudaBackend& backend, const ClipNorm& a) {
  std::vector<std::int64_t> counts;  // elements of the whole gradients
  for (std::int64_t i = 0; i < a.tensors; i++) {
    const GradientRows rows = a.rows(i);
    counts.push_back(rows.dense() ? a.counts[i] : rows.tableRows * rows.columns);
  }
  const std::vector<Chunk> wholeChunks = chunksOf(a.tensors, counts.data());
  const std::vector<Chunk> chunks = chunksOf(a.tensors, a.counts);
  const auto count = static_cast<std::int64_t>(wholeChunks.size());
  Scratch<Chunk> whole(backend, wholeChunks);
  Scratch<Chunk> held(backend, chunks);
  Scratch<float*> values(backend, std::vector<float*>(a.values, a.values + a.tensors));
  std::vector<GradientRows> rowsOfAll;
  for (std::int64_t i = 0; i < a.tensors; i++) rowsOfAll.push_back(a.rows(i));
  Scratch<GradientRows> rows(backend, rowsOfAll);
  Scratch<float> parts(backend, count);
  Scratch<float> norm(backend, 2);
  std::int32_t* const refused = a.refused == nullptr ? nullptr : backend.nextDoubt();
  Values p{whole,
           values,
           rows,
           parts,
           count,
           norm,
           norm,
           a.maxNorm,
           a.largest,
           refused,
           backend.refusalOf(refused),
           backend.fault()};
  launch(backend.stream(), normPartsKernel, dim3(static_cast<unsigned>(count)), kThreads, 0, p);
  launch(backend.stream(), normKernel, dim3(1), kThreads, 0, p);
  p.chunks = held;
  launch(backend.stream(), scaleKernel, dim3(static_cast<unsigned>(chunks.size())), kThreads, 0, p);
  backend.run(Fill{1, 0.0f, norm, a.total});
  if (refused == nullptr) return;
  backend.takeDoubt();
  *a.refused = refused;
}

template <>
void run(CudaBackend& backend, const ClipValue& a) {
  const std::vector<Chunk> chunks = chunksOf(a.tensors, a.counts);
  Scratch<Chunk> table(backend, chunks);
  Scratch<float*> values(backend, std::vector<float*>(a.values, a.values + a.tensors));
  launch(backend.stream(), clampKernel, dim3(static_cast<unsigned>(chunks.size())), kThreads, 0,
         Values{table, values, nullptr, nullptr, 0, nullptr, nullptr, a.limit, false, nullptr, nullptr,
                nullptr});
}

}  // namespace packed_rnn::cuda
