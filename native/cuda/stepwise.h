// The stepwise path. All sequences advance together, the longest first, so the live ones are the first rows
// of the state. Each step is one product over these rows and one kernel for the cell. It serves every cell,
// size and device.
//
// A run of kChunk steps is captured once as a CUDA graph and replayed until the longest sequence ends. The
// arguments of a graph's kernels never change. They read the batch from a StepArguments on the device, which
// the host fills before the first replay, and the state from the graph's own workspace.
#pragma once

#include <list>
#include <memory>

#include "recurrent.h"

namespace packed_rnn::cuda {

constexpr int kChunk = 16;  // steps of a graph

// The properties that a graph depends on. `capacity`: the number of nonempty sequences, rounded up to a power
// of 2.
struct StepKey {
  bool backward;
  Cell cell;
  std::int64_t hidden, projection, directions, capacity;
  bool operator==(const StepKey&) const = default;
};

// One op's batch, on the device. Rows are in the order of the batch; the state is in the order of
// `sequences`.
struct StepArguments {
  const int4* sequences;     // [count], the longest first: {first row, rows, place in the batch, -}
  const std::int32_t* live;  // [steps]: how many sequences have a row at each step
  std::int32_t count, steps;
  std::int64_t batch;  // B
  const float* inputs;
  const float* bias;
  const std::int32_t* index;
  const float *h0, *c0;
  float* output;
  float *columns, *extra, *unprojected;  // saved; null: nothing is saved
  float *hN, *cN;
  // Only for the backward pass.
  const float *dOutput, *dHN, *dCN;
  float *dProjected, *dH0, *dC0;
};

// The memory of a graph's kernels: pointers that never change, for D directions of `capacity` rows each.
struct Workspace {
  StepArguments* arguments;  // [1]
  std::int32_t* live;        // [kChunk]: sequences alive at the steps of this run
  std::int32_t* next;        // [1]: the first step of the next run
  float* weights;            // [D, C, R] in column order
  float* second;             // [D, P, H]: wHr, or [D, H, H]: the rows of wHh for n of a reset-first GRU
  float* state;              // [D, capacity, R]: h, or dh
  float* cells;              // [D, capacity, H]: c, or dc
  float* columns;            // [D, capacity, C]: products, gates, or gradients of pre-activations
  float* aside;              // [D, capacity, max(H, P)]: read by the second product
  float* product;            // [D, capacity, max(H, P)]: written by the second product
  std::int64_t capacity, hidden, stateSize, width, directions;  // cap, H, R, C, D
};

// The step of a run that a kernel computes.
struct Step {
  Workspace space;
  std::int32_t ahead;  // the step within the run
};

class StepGraph {
 public:
  StepGraph(CudaBackend& backend, const StepKey& key);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  const StepKey key;
  const Layout layout;
  const Workspace& space() const { return space_; }
  // Replays as many runs as `steps` need.
  void replay(std::int64_t steps);

 private:
  void capture();

  CudaBackend& backend_;
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  Workspace space_ = {};
  cudaGraphExec_t executable_ = nullptr;
};

// The graphs of the layers in use, the latest first.
class StepGraphs {
 public:
  explicit StepGraphs(CudaBackend& backend) : backend_(backend) {}
  // Valid until the next call of `of` or `release`, and so until the next allocation.
  StepGraph& of(const StepKey& key);
  // Frees all graphs with their workspaces. Returns false if there is none.
  bool release();

 private:
  static constexpr std::size_t kMost = 16;
  CudaBackend& backend_;
  std::list<std::unique_ptr<StepGraph>> graphs_;
};

// The kernels of one step, in stream order: see step_forward.cu and step_backward.cu.
void launchForwardStep(CudaBackend& backend, const StepGraph& graph, int ahead);
void launchBackwardStep(CudaBackend& backend, const StepGraph& graph, int ahead);

// c [D, live, columns] (+)= a · b for the sequences alive at the step: a [D, capacity, k], b [D, k, columns],
// or transposed [D, columns, k]. An operand's stride is the width of its rows; k is a's stride.
struct StepOperand {
  const float* data;
  std::int64_t stride;
  bool transposed = false;
};
void stepProduct(CudaBackend& backend, const Step& step, StepOperand a, StepOperand b, float* c,
                 std::int64_t columns, bool accumulate = false);

constexpr unsigned kStepThreads = 128;
// One thread for each of `perSequence` numbers of each sequence of a direction.
inline dim3 stepGrid(const Workspace& space, std::int64_t perSequence) {
  return dim3(blocksFor(space.capacity * perSequence, kStepThreads), static_cast<unsigned>(space.directions));
}

}  // namespace packed_rnn::cuda
