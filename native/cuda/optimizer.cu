// Steps over many tensors at once: clipping and the optimisers' rules of cells.h, a block a chunk of a
// tensor.
#include <new>

#include "cells.h"
#include "cuda_backend.h"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kChunk = 8192;

struct Chunk {
  std::int64_t tensor, begin, end;
};

// The fixed chunks of all tensors, one after another.
std::vector<Chunk> chunksOf(std::int64_t tensors, const std::int64_t* counts) {
  std::vector<Chunk> chunks;
  for (std::int64_t i = 0; i < tensors; i++) {
    for (std::int64_t begin = 0; begin < counts[i]; begin += kChunk) {
      chunks.push_back({i, begin, begin + kChunk < counts[i] ? begin + kChunk : counts[i]});
    }
  }
  return chunks;
}

struct Values {
  const Chunk* chunks;
  float* const* values;      // [tensors]
  const GradientRows* rows;  // [tensors]; the chunks are those of whole gradients
  float* parts;              // [chunks]
  std::int64_t count;        // chunks
  const float* norm;         // {total, coefficient}
  float* total;
  float bound;  // maxNorm or limit
  bool largest;
  std::int32_t* refused;  // [1], optional, like what the host reads of it
  Refusal* refusal;
  const Fault* fault;  // what an earlier op has found
};

// f(x) for this thread's elements of a chunk of a table's gradient, as far as rows hold them: of those
// elements of the table that this thread has where the gradient is dense, and in that order.
template <class F>
__device__ __forceinline__ void eachOfRows(const GradientRows& rows, const float* values, const Chunk& chunk,
                                           F f) {
  std::int64_t u = 0;  // the first row that reaches beyond the chunk's begin
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
  std::int64_t infinite = p.count - 1;  // the first part that is; the last one where only their sum is
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
  // PyTorch's coefficient; NaN passes through the comparison, as it does there.
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

struct Parameter {
  float* parameter;
  const float* gradient;
  float* steps;     // [1] or null
  float* state[3];  // what the rule keeps; null where it keeps nothing
};
template <class Options>
struct Steps {
  const Chunk* chunks;
  const Parameter* parameters;  // [tensors]
  const Options* options;       // [tensors]
  std::int64_t tensors;
  const std::int32_t* refused;  // [1], optional
};

__device__ __forceinline__ bool isRefused(const std::int32_t* refused) {
  return refused != nullptr && *refused != 0;
}

// Each rule: how one is made of the options for step t, and what it does to element i.
__device__ __forceinline__ void makeRule(SgdRule<Accurate>* to, const SgdOptions& o, double t,
                                         const Parameter&) {
  new (to) SgdRule<Accurate>(o, t);
}
__device__ __forceinline__ void makeRule(AdamRule<Accurate>* to, const AdamOptions& o, double t,
                                         const Parameter&) {
  new (to) AdamRule<Accurate>(adamScalars<Accurate>(o, t, 0));
}
__device__ __forceinline__ void makeRule(AsgdRule<Accurate>* to, const AsgdOptions& o, double t,
                                         const Parameter& p) {
  new (to) AsgdRule<Accurate>(o, t, p.state[1][0]);
}
__device__ __forceinline__ void makeRule(AdagradRule<Accurate>* to, const AdagradOptions& o, double t,
                                         const Parameter&) {
  new (to) AdagradRule<Accurate>(o, t);
}

__device__ __forceinline__ float read(const float* state, std::int64_t i) {
  return state == nullptr ? 0.0f : state[i];
}
__device__ __forceinline__ void write(float* state, std::int64_t i, float value) {
  if (state != nullptr) state[i] = value;
}

// Rules that keep one tensor.
template <class Rule>
__device__ __forceinline__ void stepElement(const Rule& rule, const Parameter& p, std::int64_t i) {
  float value = p.parameter[i], kept = read(p.state[0], i);
  rule.step(value, p.gradient[i], kept);
  p.parameter[i] = value;
  write(p.state[0], i, kept);
}
__device__ __forceinline__ void stepElement(const AdamRule<Accurate>& rule, const Parameter& p,
                                            std::int64_t i) {
  float value = p.parameter[i], mean = p.state[0][i], variance = p.state[1][i], maximum = read(p.state[2], i);
  rule.step(value, p.gradient[i], mean, variance, maximum);
  p.parameter[i] = value;
  p.state[0][i] = mean;
  p.state[1][i] = variance;
  write(p.state[2], i, maximum);
}
__device__ __forceinline__ void stepElement(const AdagradRule<Accurate>& rule, const Parameter& p,
                                            std::int64_t i) {
  float value = p.parameter[i], sum = p.state[0][i], average = read(p.state[1], i),
        momentum = read(p.state[2], i);
  rule.step(value, p.gradient[i], sum, average, momentum);
  p.parameter[i] = value;
  p.state[0][i] = sum;
  write(p.state[1], i, average);
  write(p.state[2], i, momentum);
}

// budget: 64 registers, 1 KB shared
template <class Rule, class Options>
__global__ void __launch_bounds__(kThreads) stepKernel(const Steps<Options> p) {
  if (isRefused(p.refused)) return;
  // One thread makes the rule for all: its scalars are powers in double precision.
  Rule* const shared = reinterpret_cast<Rule*>(sharedArray<double, (sizeof(Rule) + 7) / 8, 0>());
  const Chunk chunk = p.chunks[blockIdx.x];
  const Parameter parameter = p.parameters[chunk.tensor];
  if (threadIdx.x == 0) {
    const double t = parameter.steps == nullptr ? 1.0 : 1.0 + static_cast<double>(parameter.steps[0]);
    makeRule(shared, p.options[chunk.tensor], t, parameter);
  }
  __syncthreads();
  const Rule rule = *shared;
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads)
    stepElement(rule, parameter, i);
}

template <class Options>
__device__ __forceinline__ void advanceRate(const Options&, const Parameter&) {}
__device__ __forceinline__ void advanceRate(const AsgdOptions& o, const Parameter& p) {
  p.state[1][0] = AsgdRule<Accurate>::nextRate(o, static_cast<double>(p.steps[0]));
}

// After all chunks have read them.
// budget: 80 registers, 0 KB shared
template <class Options>
__global__ void __launch_bounds__(kThreads) advanceKernel(const Steps<Options> p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.tensors || p.parameters[i].steps == nullptr || isRefused(p.refused)) return;
  p.parameters[i].steps[0] += 1;
  advanceRate(p.options[i], p.parameters[i]);
}

// stateOf(i, state) fills the state of tensor i. All memory is there before the first parameter changes; then
// first() launches what reads the counters too.
template <class Rule, class Options, class StateOf, class First = void (*)()>
void stepAll(
    CudaBackend& backend, const Stepped& s, const Options* options, StateOf stateOf, First first = [] {}) {
  std::vector<Parameter> parameters;
  for (std::int64_t i = 0; i < s.tensors; i++) {
    parameters.push_back({s.parameters[i], s.gradients[i], s.steps[i], {nullptr, nullptr, nullptr}});
    stateOf(i, parameters.back().state);
  }
  const std::vector<Chunk> chunks = chunksOf(s.tensors, s.counts);
  Scratch<Chunk> chunkTable(backend, chunks);
  Scratch<Parameter> parameterTable(backend, parameters);
  Scratch<Options> optionTable(backend, std::vector<Options>(options, options + s.tensors));
  const Steps<Options> steps{chunkTable, parameterTable, optionTable, s.tensors, s.refused};
  first();
  launch(backend.stream(), stepKernel<Rule, Options>, dim3(static_cast<unsigned>(chunks.size())), kThreads, 0,
         steps);
  launch(backend.stream(), advanceKernel<Options>, dim3(blocksFor(s.tensors, kThreads)), kThreads, 0, steps);
}

struct NotedStep {
  AdamOptions options;
  const float* steps;  // [1]: taken before this one
  const float* rest;   // [1]
  MissedSteps missed;
  const std::int32_t* refused;  // [1], optional
};

// budget: 80 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) noteStepKernel(const NotedStep p) {
  if (threadIdx.x > 0 || isRefused(p.refused)) return;
  const double t = 1.0 + static_cast<double>(p.steps[0]);
  p.missed.scalars[p.missed.count[0]++] = adamScalars<Accurate>(p.options, t, p.rest[0]);
}

struct TableSteps {
  AdamCatchUp table;
  const float* gradients;       // [count, columns]: of the last step, in the rows `ids`; or null
  const std::int32_t* refused;  // [1], optional
};

// A row makes the steps that it missed, a warp a row.
// budget: 64 registers, 0 KB shared
__global__ void __launch_bounds__(kThreads) stepRowsKernel(const TableSteps p) {
  const AdamCatchUp& table = p.table;
  const std::int64_t u = static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
  if (u >= (table.ids == nullptr ? table.rows : table.count) || isRefused(p.refused)) return;
  const std::int64_t id = table.ids == nullptr ? u : table.ids[u];
  const MissedSteps missed = table.missedSteps();
  const std::int32_t from = missed.made[id], to = missed.count[0];
  if (from == to) return;
  __syncwarp();  // all lanes have read it
  if (threadIdx.x % 32 == 0) missed.made[id] = to;
  for (std::int64_t c = threadIdx.x % 32; c < table.columns; c += 32) {
    const std::int64_t i = id * table.columns + c;
    float value = table.parameter[i], mean = table.mean[i], variance = table.variance[i],
          maximum = read(table.maximum, i);
    for (std::int32_t s = from; s < to; s++) {
      const AdamScalars scalars = missed.scalars[s];
      const bool own = p.gradients != nullptr && s + 1 == to;
      const float gradient = own ? p.gradients[u * table.columns + c] : scalars.rest;
      AdamRule<Accurate>(scalars).stepAgain(value, gradient, mean, variance, maximum);
    }
    table.parameter[i] = value;
    table.mean[i] = mean;
    table.variance[i] = variance;
    write(table.maximum, i, maximum);
  }
}

void stepRows(CudaBackend& backend, const TableSteps& p) {
  const std::int64_t rows = p.table.ids == nullptr ? p.table.rows : p.table.count;
  launch(backend.stream(), stepRowsKernel, dim3(blocksFor(rows, kThreads / 32)), kThreads, 0, p);
}

}  // namespace

template <>
void run(CudaBackend& backend, const ClipNorm& a) {
  std::vector<std::int64_t> counts;  // of the whole gradients
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

template <>
void run(CudaBackend& backend, const SgdStep& a) {
  stepAll<SgdRule<Accurate>>(backend, a, a.options,
                             [&](std::int64_t i, float** state) { state[0] = a.momenta[i]; });
}

template <>
void run(CudaBackend& backend, const AdamStep& a) {
  std::vector<std::int64_t> dense(a.counts, a.counts + a.tensors);
  for (std::int64_t i = 0; i < a.tensors; i++) {
    if (!a.rows(i).dense()) dense[i] = 0;
  }
  Stepped stepped = a;
  stepped.counts = dense.data();
  const auto stateOf = [&](std::int64_t i, float** state) {
    state[0] = a.means[i];
    state[1] = a.variances[i];
    state[2] = a.maxima[i];
  };
  stepAll<AdamRule<Accurate>>(backend, stepped, a.options, stateOf, [&] {
    for (std::int64_t i = 0; i < stepped.tensors; i++) {
      const GradientRows rows = a.rows(i);
      if (rows.dense()) continue;
      launch(
          backend.stream(), noteStepKernel, dim3(1), kThreads, 0,
          NotedStep{a.options[i], stepped.steps[i], a.rests[i], missedStepsIn(a.missed[i]), stepped.refused});
      stepRows(backend, {{rows.tableRows, rows.columns, rows.count, stepped.parameters[i], a.means[i],
                          a.variances[i], a.maxima[i], a.missed[i], rows.ids},
                         stepped.gradients[i],
                         stepped.refused});
    }
  });
}

template <>
void run(CudaBackend& backend, const AdamCatchUp& a) {
  stepRows(backend, {a, nullptr, nullptr});
  if (a.ids != nullptr) return;
  // Bits of 0.
  const MissedSteps missed = a.missedSteps();
  backend.run(Fill{1, 0.0f, nullptr, reinterpret_cast<float*>(missed.count)});
  backend.run(Fill{a.rows, 0.0f, nullptr, reinterpret_cast<float*>(missed.made)});
}

template <>
void run(CudaBackend& backend, const AsgdStep& a) {
  stepAll<AsgdRule<Accurate>>(backend, a, a.options, [&](std::int64_t i, float** state) {
    state[0] = a.averages[i];
    state[1] = a.rates[i];
  });
}

template <>
void run(CudaBackend& backend, const AdagradStep& a) {
  stepAll<AdagradRule<Accurate>>(backend, a, a.options, [&](std::int64_t i, float** state) {
    state[0] = a.sums[i];
    state[1] = a.averages[i];
    state[2] = a.momenta[i];
  });
}

}  // namespace packed_rnn::cuda
