// Steps over many tensors at once: clipping and the optimisers' rules of cells.h, a block a chunk of a
// tensor.
#include <cmath>
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
  float* const* values;  // [tensors]
  float* parts;          // [chunks]
  std::int64_t count;    // chunks
  const float* norm;     // {total, coefficient}
  float* total;
  float bound;  // maxNorm or limit
  bool largest;
};

// budget: 48 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) normPartsKernel(const Values p) {
  const Chunk chunk = p.chunks[blockIdx.x];
  const float* const values = p.values[chunk.tensor];
  float part = 0;
  for (std::int64_t i = chunk.begin + threadIdx.x; i < chunk.end; i += kThreads) {
    part = p.largest ? Accurate::max(part, fabsf(values[i])) : fmaf(values[i], values[i], part);
  }
  part = p.largest ? blockReduce(part, [](float a, float b) { return Accurate::max(a, b); }) : blockSum(part);
  if (threadIdx.x == 0) p.parts[blockIdx.x] = part;
}

// budget: 40 registers, 1 KB shared
__global__ void __launch_bounds__(kThreads) normKernel(const Values p) {
  float most = 0;
  double squares = 0;
  for (std::int64_t i = threadIdx.x; i < p.count; i += kThreads) {
    most = Accurate::max(most, p.parts[i]);
    squares += static_cast<double>(p.parts[i]);
  }
  most = blockReduce(most, [](float a, float b) { return Accurate::max(a, b); });
  squares = blockSum(squares);
  if (threadIdx.x > 0) return;
  const float norm = p.largest ? most : static_cast<float>(Accurate::root(squares));
  // PyTorch's coefficient; NaN passes through the comparison, as it does there.
  const float coefficient = p.bound / (norm + 1e-6f);
  p.total[0] = norm;
  p.total[1] = coefficient > 1.0f ? 1.0f : coefficient;
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
};

// Each rule: how one is made of the options for step t, and what it does to element i.
__device__ __forceinline__ void makeRule(SgdRule<Accurate>* to, const SgdOptions& o, double t,
                                         const Parameter&) {
  new (to) SgdRule<Accurate>(o, t);
}
__device__ __forceinline__ void makeRule(AdamRule<Accurate>* to, const AdamOptions& o, double t,
                                         const Parameter&) {
  new (to) AdamRule<Accurate>(o, t);
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

// budget: 64 registers, 1 KB shared
template <class Rule, class Options>
__global__ void __launch_bounds__(kThreads) stepKernel(const Steps<Options> p) {
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
  if (i >= p.tensors || p.parameters[i].steps == nullptr) return;
  p.parameters[i].steps[0] += 1;
  advanceRate(p.options[i], p.parameters[i]);
}

// stateOf(i, state) fills the state of tensor i. All memory is there before the first parameter changes.
template <class Rule, class Options, class StateOf>
void stepAll(CudaBackend& backend, const Stepped& s, const Options* options, StateOf stateOf) {
  std::vector<Parameter> parameters;
  for (std::int64_t i = 0; i < s.tensors; i++) {
    parameters.push_back({s.parameters[i], s.gradients[i], s.steps[i], {nullptr, nullptr, nullptr}});
    stateOf(i, parameters.back().state);
  }
  const std::vector<Chunk> chunks = chunksOf(s.tensors, s.counts);
  Scratch<Chunk> chunkTable(backend, chunks);
  Scratch<Parameter> parameterTable(backend, parameters);
  Scratch<Options> optionTable(backend, std::vector<Options>(options, options + s.tensors));
  const Steps<Options> steps{chunkTable, parameterTable, optionTable, s.tensors};
  launch(backend.stream(), stepKernel<Rule, Options>, dim3(static_cast<unsigned>(chunks.size())), kThreads, 0,
         steps);
  launch(backend.stream(), advanceKernel<Options>, dim3(blocksFor(s.tensors, kThreads)), kThreads, 0, steps);
}

}  // namespace

void CudaBackend::clipNorm(const ClipNorm& a) {
  const std::vector<Chunk> chunks = chunksOf(a.tensors, a.counts);
  const auto count = static_cast<std::int64_t>(chunks.size());
  Scratch<Chunk> table(*this, chunks);
  Scratch<float*> values(*this, std::vector<float*>(a.values, a.values + a.tensors));
  Scratch<float> parts(*this, count);
  Scratch<float> norm(*this, 2);
  const Values p{table, values, parts, count, norm, norm, a.maxNorm, a.largest};
  launch(stream(), normPartsKernel, dim3(static_cast<unsigned>(count)), kThreads, 0, p);
  launch(stream(), normKernel, dim3(1), kThreads, 0, p);
  if (a.mustBeFinite) {
    float total = 0;
    download(&total, norm, sizeof total);
    if (!std::isfinite(total)) {
      Error failure{"ERR_NON_FINITE", {}};
      std::snprintf(failure.message, sizeof failure.message,
                    "the norm of the gradients: wanted a finite number, got %g", static_cast<double>(total));
      throw failure;
    }
  }
  launch(stream(), scaleKernel, dim3(static_cast<unsigned>(count)), kThreads, 0, p);
  elementwise({Elementwise::copy, 1, norm, nullptr, a.total});
}

void CudaBackend::clipValue(const ClipValue& a) {
  const std::vector<Chunk> chunks = chunksOf(a.tensors, a.counts);
  Scratch<Chunk> table(*this, chunks);
  Scratch<float*> values(*this, std::vector<float*>(a.values, a.values + a.tensors));
  launch(stream(), clampKernel, dim3(static_cast<unsigned>(chunks.size())), kThreads, 0,
         Values{table, values, nullptr, 0, nullptr, nullptr, a.limit, false});
}

void CudaBackend::sgdStep(const SgdStep& a) {
  stepAll<SgdRule<Accurate>>(*this, a.stepped, a.options,
                             [&](std::int64_t i, float** state) { state[0] = a.momenta[i]; });
}

void CudaBackend::adamStep(const AdamStep& a) {
  stepAll<AdamRule<Accurate>>(*this, a.stepped, a.options, [&](std::int64_t i, float** state) {
    state[0] = a.means[i];
    state[1] = a.variances[i];
    state[2] = a.maxima[i];
  });
}

void CudaBackend::asgdStep(const AsgdStep& a) {
  stepAll<AsgdRule<Accurate>>(*this, a.stepped, a.options, [&](std::int64_t i, float** state) {
    state[0] = a.averages[i];
    state[1] = a.rates[i];
  });
}

void CudaBackend::adagradStep(const AdagradStep& a) {
  stepAll<AdagradRule<Accurate>>(*this, a.stepped, a.options,
                                 [&](std::int64_t i, float** state) { state[0] = a.sums[i]; });
}

}  // namespace packed_rnn::cuda
