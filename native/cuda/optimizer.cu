// Steps of optimisers over many tensors at once: the rules of cells.h.
#include <new>

#include "cells.h"
#include "chunks.cuh"
#include "math.cuh"
#include "reduce.cuh"

namespace packed_rnn::cuda {

namespace {

struct Parameter {
  float* parameter;
  const float* gradient;
  float* steps;     // [1] or null
  float* state[3];  // the rule's state; null if it has none
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

// Each rule: how it is made from the options for step t, and what it does to element i.
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

// Rules with one tensor of state.
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
  // One thread makes the rule for the block: its scalars are powers in double precision.
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

// Runs after all chunks have read the counters.
// budget: 80 registers, 0 KB shared
template <class Options>
__global__ void __launch_bounds__(kThreads) advanceKernel(const Steps<Options> p) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= p.tensors || p.parameters[i].steps == nullptr || isRefused(p.refused)) return;
  p.parameters[i].steps[0] += 1;
  advanceRate(p.options[i], p.parameters[i]);
}

// stateOf(i, state) fills in the state of tensor i. All memory is allocated before the first parameter
// changes. Then first() launches kernels that read the counters too.
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
  const float* steps;  // [1]: steps taken before this one
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
  const float* gradients;       // [count, columns]: of the last step, for the rows `ids`; or null
  const std::int32_t* refused;  // [1], optional
};

// A row applies the steps that it missed; one warp for each row.
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
  // 0.0f has the bits of the integer 0.
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
