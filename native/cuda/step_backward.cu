// The kernels of one step of the stepwise path, backward: see stepwise.h. Sequences join at their last token,
// and all of them are present at their first.
#include "stepwise.cuh"

namespace packed_rnn::cuda {

namespace {

// The gradient of h from later uses: from the output, and from hN or the next step.
__device__ __forceinline__ float gradientOfState(const StepPlace& at) {
  const std::int64_t size = at.space.stateSize;
  const float chain =
      at.last ? valueOrZero(at.arguments.dHN, at.inBatch(size)) : at.space.state[at.inState(size)];
  return valueOrZero(at.arguments.dOutput, at.inTokens(at.row, size)) + chain;
}

// h before the step's token.
__device__ __forceinline__ float stateBefore(const StepPlace& at) {
  const std::int64_t size = at.space.stateSize;
  return at.first ? valueOrZero(at.arguments.h0, at.inBatch(size))
                  : at.arguments.output[at.inTokens(at.previous, size)];
}

// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kStepThreads) projectedGradientKernel(const Step p) {
  const std::int64_t size = p.space.stateSize;
  const StepPlace at(p, size, true);
  if (!at.alive) return;
  const float d = gradientOfState(at);
  p.space.aside[at.inState(size)] = d;
  at.arguments.dProjected[at.inTokens(at.row, size)] = d;
}

// budget: 64 registers, 0 KB shared
template <Cell cell, class M>
__global__ void __launch_bounds__(kStepThreads) backwardCellKernel(const Step p) {
  constexpr int kColumns = columnsOf(cell).count;
  const std::int64_t hidden = p.space.hidden;
  const StepPlace at(p, hidden, true);
  if (!at.alive) return;
  const StepArguments& a = at.arguments;
  const std::int64_t own = at.inState(hidden), token = at.inTokens(at.row, hidden);
  float column[kColumns] = {}, now = 0, before = 0, dc = 0;
  float dh = p.space.second != nullptr ? p.space.product[own] : gradientOfState(at);
  if constexpr (kColumns > 1) loadColumns(a.columns + token * kColumns, column);
  if constexpr (cell == Cell::lstm) {
    dc = at.last ? valueOrZero(a.dCN, at.inBatch(hidden)) : p.space.cells[own];
    now = a.extra[token];
    before = at.first ? valueOrZero(a.c0, at.inBatch(hidden)) : a.extra[at.inTokens(at.previous, hidden)];
  } else if constexpr (cell == Cell::gru) {
    before = stateBefore(at);
  } else {
    now = a.output[token];
  }
  backwardUnit<cell, M>(column, now, before, dh, dc);
  storeColumns(a.columns + token * kColumns, column);
  storeColumns(p.space.columns + at.inState(p.space.width, kColumns), column);
  if constexpr (cell == Cell::gru) p.space.state[own] = dh;
  if constexpr (cell == Cell::lstm) {
    p.space.cells[own] = dc;
    if (at.first && a.dC0 != nullptr) a.dC0[at.inBatch(hidden)] = dc;
  }
}

// A reset-first GRU before its second product: the gradients of z and n.
// budget: 64 registers, 0 KB shared
template <class M>
__global__ void __launch_bounds__(kStepThreads) newStateGradientKernel(const Step p) {
  const StepPlace at(p, p.space.hidden, true);
  if (!at.alive) return;
  const std::int64_t own = at.inState(p.space.hidden);
  float* const token = at.arguments.columns + at.inTokens(at.row, p.space.width, 3);
  float* const column = p.space.columns + at.inState(p.space.width, 3);
  float dh = gradientOfState(at);
  float dZ, dN;
  ResetFirstGruCell<M>::backward(token[1], token[2], stateBefore(at), dh, dZ, dN);
  token[1] = column[1] = dZ;
  token[2] = p.space.aside[own] = dN;
  column[2] = 0;  // n is not part of the product with h
  p.space.state[own] = dh;
}

// A reset-first GRU after its second product: the gradient of r.
// budget: 64 registers, 0 KB shared
template <class M>
__global__ void __launch_bounds__(kStepThreads) resetGradientKernel(const Step p) {
  const StepPlace at(p, p.space.hidden, true);
  if (!at.alive) return;
  const std::int64_t own = at.inState(p.space.hidden);
  float* const token = at.arguments.columns + at.inTokens(at.row, p.space.width, 3);
  float dh = p.space.state[own];
  const float dR = ResetFirstGruCell<M>::backwardReset(token[0], stateBefore(at), p.space.product[own], dh);
  token[0] = p.space.columns[at.inState(p.space.width, 3)] = dR;
  p.space.state[own] = dh;
}

template <class M>
void launchCell(CudaBackend& backend, const StepGraph& graph, const Step& step) {
  const dim3 grid = stepGrid(step.space, step.space.hidden);
  const auto run = [&](void (*kernel)(Step)) {
    launch(backend.stream(), kernel, grid, kStepThreads, 0, step);
  };
  switch (graph.key.cell) {
    case Cell::lstm:
      return run(backwardCellKernel<Cell::lstm, M>);
    case Cell::gru:
      return run(backwardCellKernel<Cell::gru, M>);
    case Cell::elmanTanh:
      return run(backwardCellKernel<Cell::elmanTanh, M>);
    case Cell::elmanRelu:
      return run(backwardCellKernel<Cell::elmanRelu, M>);
    case Cell::resetFirstGru:
      run(newStateGradientKernel<M>);
      stepProduct(backend, step, {step.space.aside, step.space.hidden},
                  {step.space.second, step.space.hidden, false}, step.space.product, step.space.hidden);
      return run(resetGradientKernel<M>);
  }
}

}  // namespace

void launchBackwardStep(CudaBackend& backend, const StepGraph& graph, int ahead) {
  const Step step{graph.space(), ahead};
  const Workspace& space = step.space;
  if (graph.layout.projected) {
    launch(backend.stream(), projectedGradientKernel, stepGrid(space, space.stateSize), kStepThreads, 0,
           step);
    stepProduct(backend, step, {space.aside, space.stateSize}, {space.second, space.hidden, false},
                space.product, space.hidden);
  }
  backend.precision() == Precision::float32 ? launchCell<Accurate>(backend, graph, step)
                                            : launchCell<Approximate>(backend, graph, step);
  // For a GRU, the part of dh that bypasses the gates is in the state already.
  const bool around = graph.key.cell == Cell::gru || graph.key.cell == Cell::resetFirstGru;
  stepProduct(backend, step, {space.columns, space.width}, {space.weights, space.stateSize, false},
              space.state, space.stateSize, around);
}

}  // namespace packed_rnn::cuda
