// The kernels of one step of the stepwise path, forward: see stepwise.h.
#include "stepwise.cuh"

namespace packed_rnn::cuda {

namespace {

// The columns of a unit before the cell: the sum of its inputs and its product.
template <Cell cell, int kColumns>
__device__ __forceinline__ void columnsBefore(const StepPlace& at, float (&column)[kColumns]) {
  const StepArguments& a = at.arguments;
  float product[kColumns];
  const std::int32_t source = a.index == nullptr ? at.row : a.index[at.row];
  loadColumns(a.inputs + at.inTokens(source, at.space.width, kColumns), column);
  if constexpr (cell == Cell::gru) column[3] = a.bias[at.inLayer(at.space.width, kColumns) + 3];
  loadColumns(at.space.columns + at.inState(at.space.width, kColumns), product);
#pragma unroll
  for (int q = 0; q < kColumns; q++) column[q] += product[q];
}

// Writes h of a unit; used without a projection.
__device__ __forceinline__ void publish(const StepPlace& at, float h) {
  const std::int64_t size = at.space.stateSize;
  at.space.state[at.inState(size)] = h;
  at.arguments.output[at.inTokens(at.row, size)] = h;
  if (at.last) at.arguments.hN[at.inBatch(size)] = h;
}

// budget: 64 registers, 0 KB shared
template <Cell cell, class M>
__global__ void __launch_bounds__(kStepThreads) forwardCellKernel(const Step p) {
  constexpr int kColumns = columnsOf(cell).count;
  const std::int64_t hidden = p.space.hidden;
  const StepPlace at(p, hidden, false);
  if (!at.alive) return;
  const StepArguments& a = at.arguments;
  const bool projected = p.space.second != nullptr;
  float column[kColumns];
  columnsBefore<cell>(at, column);
  float h = cell == Cell::gru ? p.space.state[at.inState(hidden)] : 0.0f;
  float c = cell == Cell::lstm ? p.space.cells[at.inState(hidden)] : 0.0f;
  forwardUnit<cell, M>(column, h, c);
  const std::int64_t token = at.inTokens(at.row, hidden);
  if (a.columns != nullptr && kColumns > 1) storeColumns(a.columns + token * kColumns, column);
  if constexpr (cell == Cell::lstm) {
    p.space.cells[at.inState(hidden)] = c;
    if (a.extra != nullptr) a.extra[token] = c;
    if (at.last) a.cN[at.inBatch(hidden)] = c;
  }
  if (!projected) return publish(at, h);
  p.space.aside[at.inState(hidden)] = h;
  if (a.unprojected != nullptr) a.unprojected[token] = h;
}

// Publishes h from the state, after the second product.
// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kStepThreads) publishKernel(const Step p) {
  const StepPlace at(p, p.space.stateSize, false);
  if (at.alive) publish(at, p.space.state[at.inState(p.space.stateSize)]);
}

// A reset-first GRU before its second product: r and z, and r h₋₁ for that product.
// budget: 64 registers, 0 KB shared
template <class M>
__global__ void __launch_bounds__(kStepThreads) resetKernel(const Step p) {
  const StepPlace at(p, p.space.hidden, false);
  if (!at.alive) return;
  float column[3];
  columnsBefore<Cell::resetFirstGru>(at, column);
  column[0] = M::sigmoid(column[0]);
  column[1] = M::sigmoid(column[1]);
  const float given = column[0] * p.space.state[at.inState(p.space.hidden)];
  storeColumns(p.space.columns + at.inState(p.space.width, 3), column);
  p.space.aside[at.inState(p.space.hidden)] = given;
  if (at.arguments.extra != nullptr) at.arguments.extra[at.inTokens(at.row, p.space.hidden)] = given;
}

// A reset-first GRU after its second product.
// budget: 64 registers, 0 KB shared
template <class M>
__global__ void __launch_bounds__(kStepThreads) newStateKernel(const Step p) {
  const StepPlace at(p, p.space.hidden, false);
  if (!at.alive) return;
  const std::int64_t own = at.inState(p.space.hidden);
  float column[3];
  loadColumns(p.space.columns + at.inState(p.space.width, 3), column);
  column[2] = M::tanh(column[2] + p.space.product[own]);
  const float h = ResetFirstGruCell<M>::newState(column[2], column[1], p.space.state[own]);
  if (at.arguments.columns != nullptr) {
    storeColumns(at.arguments.columns + at.inTokens(at.row, p.space.width, 3), column);
  }
  publish(at, h);
}

template <class M>
void launchCell(CudaBackend& backend, const StepGraph& graph, const Step& step) {
  const dim3 grid = stepGrid(step.space, step.space.hidden);
  const auto run = [&](void (*kernel)(Step)) {
    launch(backend.stream(), kernel, grid, kStepThreads, 0, step);
  };
  switch (graph.key.cell) {
    case Cell::lstm:
      return run(forwardCellKernel<Cell::lstm, M>);
    case Cell::gru:
      return run(forwardCellKernel<Cell::gru, M>);
    case Cell::elmanTanh:
      return run(forwardCellKernel<Cell::elmanTanh, M>);
    case Cell::elmanRelu:
      return run(forwardCellKernel<Cell::elmanRelu, M>);
    case Cell::resetFirstGru:
      run(resetKernel<M>);
      stepProduct(backend, step, {step.space.aside, step.space.hidden},
                  {step.space.second, step.space.hidden, true}, step.space.product, step.space.hidden);
      return run(newStateKernel<M>);
  }
}

}  // namespace

void launchForwardStep(CudaBackend& backend, const StepGraph& graph, int ahead) {
  const Step step{graph.space(), ahead};
  const Workspace& space = step.space;
  stepProduct(backend, step, {space.state, space.stateSize}, {space.weights, space.stateSize, true},
              space.columns, space.width);
  backend.precision() == Precision::float32 ? launchCell<Accurate>(backend, graph, step)
                                            : launchCell<Approximate>(backend, graph, step);
  if (!graph.layout.projected) return;
  stepProduct(backend, step, {space.aside, space.hidden}, {space.second, space.hidden, true}, space.state,
              space.stateSize);
  launch(backend.stream(), publishKernel, stepGrid(space, space.stateSize), kStepThreads, 0, step);
}

}  // namespace packed_rnn::cuda
