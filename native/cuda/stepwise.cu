// The frame of the stepwise path: the order of the sequences, the graphs, and the work before and after the
// steps.
#include <algorithm>
#include <bit>

#include "stepwise.cuh"
#include "stepwise.h"

namespace packed_rnn::cuda {

namespace {

struct Run {
  Workspace space;
  bool backward;
};

// Begins a run: how many sequences are alive at each of its steps.
// budget: 32 registers, 0 KB shared
__global__ void __launch_bounds__(32) beginRunKernel(const Run p) {
  const StepArguments& a = *p.space.arguments;
  const std::int32_t step = *p.space.next + static_cast<std::int32_t>(threadIdx.x);
  if (threadIdx.x < kChunk) {
    p.space.live[threadIdx.x] = step < a.steps ? a.live[p.backward ? a.steps - 1 - step : step] : 0;
  }
  __syncwarp();  // all lanes have read where the run begins
  if (threadIdx.x == 0) *p.space.next += kChunk;
}

// Before the first run: copies the first states, in the order of the sequences. perSequence: max(R, H).
// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kStepThreads) beginKernel(const Run p) {
  const StepArguments& a = *p.space.arguments;
  const std::int64_t per = max(p.space.stateSize, p.space.hidden);
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kStepThreads + threadIdx.x;
  const std::int64_t s = i / per, unit = i % per, d = blockIdx.y;
  if (i == 0 && d == 0) *p.space.next = 0;
  if (s >= a.count || p.backward) return;
  const std::int64_t own = d * p.space.capacity + s, given = d * a.batch + a.sequences[s].z;
  if (unit < p.space.stateSize) {
    p.space.state[own * p.space.stateSize + unit] = valueOrZero(a.h0, given * p.space.stateSize + unit);
  }
  if (unit < p.space.hidden) {
    p.space.cells[own * p.space.hidden + unit] = valueOrZero(a.c0, given * p.space.hidden + unit);
  }
}

// After the last run of a backward pass: the remaining state is the gradient of h0.
// budget: 40 registers, 0 KB shared
__global__ void __launch_bounds__(kStepThreads) endKernel(const Run p) {
  const StepArguments& a = *p.space.arguments;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kStepThreads + threadIdx.x,
                     size = p.space.stateSize;
  const std::int64_t s = i / size, d = blockIdx.y;
  if (s >= a.count) return;
  a.dH0[(d * a.batch + a.sequences[s].z) * size + i % size] =
      p.space.state[(d * p.space.capacity + s) * size + i % size];
}

// The sequences in their order, and how many are alive at each step.
struct March {
  std::vector<int4> sequences;
  std::vector<std::int32_t> live;

  explicit March(const Sequences& given) : sequences(longestFirst(given)) {
    live.resize(static_cast<std::size_t>(sequences[0].y));
    std::size_t alive = sequences.size();
    for (std::size_t t = 0; t < live.size(); t++) {
      while (sequences[alive - 1].y <= static_cast<std::int32_t>(t)) alive--;
      live[t] = static_cast<std::int32_t>(alive);
    }
  }
};

// Puts a layer's weights into the workspace of its graph. For a reset-first GRU, the second product uses the
// rows for n.
void packWeights(CudaBackend& backend, const StepGraph& graph, const RecurrentWeights (&weights)[2]) {
  const Layout& layout = graph.layout;
  const Workspace& space = graph.space();
  const bool resetFirst = graph.key.cell == Cell::resetFirstGru;
  for (std::int64_t d = 0; d < layout.directions; d++) {
    ColumnOrder order{layout.columns.count,
                      {},
                      layout.hidden,
                      layout.state,
                      space.weights + d * layout.width * layout.state,
                      const_cast<float*>(weights[d].wHh)};
    std::copy(layout.columns.hidden, layout.columns.hidden + 4, order.gate);
    if (resetFirst) order.gate[2] = -1;
    packColumns(backend, order);
    if (space.second == nullptr) continue;
    const float* const second =
        resetFirst ? weights[d].wHh + 2 * layout.hidden * layout.hidden : weights[d].wHr;
    const std::int64_t size = (resetFirst ? layout.hidden : layout.state) * layout.hidden;
    backend.run(CopyStrided{{{1, 1, 1, size}},
                            {{0, 0, 0, 1}},
                            {{0, 0, 0, 1}},
                            0,
                            0,
                            size,
                            size,
                            second,
                            space.second + d * size});
  }
}

void replay(CudaBackend& backend, const RecurrentShape& shape, bool backward,
            const RecurrentWeights (&weights)[2], StepArguments arguments, const March& march) {
  Scratch<int4> sequences(backend, march.sequences);
  Scratch<std::int32_t> live(backend, march.live);
  arguments.sequences = sequences;
  arguments.live = live;
  arguments.count = static_cast<std::int32_t>(march.sequences.size());
  arguments.steps = static_cast<std::int32_t>(march.live.size());
  const auto capacity = static_cast<std::int64_t>(std::bit_ceil(march.sequences.size()));
  // After the last allocation, because an allocation may free the graphs.
  StepGraph& graph = backend.graphs().of(
      {backward, shape.cell, shape.hiddenSize, shape.projectionSize, shape.directions, capacity});
  const Workspace& space = graph.space();
  backend.upload(space.arguments, &arguments, sizeof arguments);
  packWeights(backend, graph, weights);
  const Run run{space, graph.key.backward};
  launch(backend.stream(), beginKernel, stepGrid(space, std::max(space.stateSize, space.hidden)),
         kStepThreads, 0, run);
  graph.replay(arguments.steps);
  if (graph.key.backward && arguments.dH0 != nullptr) {
    launch(backend.stream(), endKernel, stepGrid(space, space.stateSize), kStepThreads, 0, run);
  }
}

}  // namespace

void stepProduct(CudaBackend& backend, const Step& step, StepOperand a, StepOperand b, float* c,
                 std::int64_t columns, bool accumulate) {
  const Workspace& space = step.space;
  gemm(backend, {space.capacity, columns, a.stride,
                 Operand{a.data, a.stride, nullptr, false, space.capacity * a.stride},
                 Operand{b.data, b.stride, nullptr, b.transposed, columns * a.stride}, c, columns, nullptr,
                 accumulate, space.directions, space.capacity * columns, space.live + step.ahead});
}

StepGraph::StepGraph(CudaBackend& backend, const StepKey& given)
    : key(given),
      layout([&] {
        RecurrentShape shape{};
        shape.cell = given.cell;
        shape.hiddenSize = given.hidden;
        shape.projectionSize = given.projection;
        shape.directions = given.directions;
        return Layout(shape);
      }()),
      backend_(backend) {
  const std::int64_t D = key.directions, rows = D * key.capacity, H = key.hidden;
  const std::int64_t wider = std::max(H, layout.state);
  const bool resetFirst = key.cell == Cell::resetFirstGru;
  const std::int64_t second = layout.projected ? D * layout.state * H : resetFirst ? D * H * H : 0;
  const std::int64_t aside = second > 0 ? rows * wider : 0;
  const std::int64_t counts[] = {D * layout.width * layout.state,
                                 second,
                                 rows * layout.state,
                                 rows * H,
                                 rows * layout.width,
                                 aside,
                                 aside};
  constexpr std::size_t kHead = 1024, kLine = 256;
  static_assert(sizeof(StepArguments) <= kHead - 256 && kChunk * 4 + 4 <= 256);
  bytes_ = kHead;
  std::size_t begins[std::size(counts)];
  for (std::size_t i = 0; i < std::size(counts); i++) {
    begins[i] = bytes_;
    bytes_ += (static_cast<std::size_t>(counts[i]) * sizeof(float) + kLine - 1) / kLine * kLine;
  }
  memory_ = static_cast<std::byte*>(backend.allocate(bytes_));
  const auto part = [&](std::size_t i) {
    return counts[i] == 0 ? nullptr : reinterpret_cast<float*>(memory_ + begins[i]);
  };
  auto* const numbers = reinterpret_cast<std::int32_t*>(memory_ + kHead - 256);
  space_ = {reinterpret_cast<StepArguments*>(memory_),
            numbers,
            numbers + kChunk,
            part(0),
            part(1),
            part(2),
            part(3),
            part(4),
            part(5),
            part(6),
            key.capacity,
            H,
            layout.state,
            layout.width,
            D};
  try {
    capture();
  } catch (...) {
    backend.deallocate(memory_, bytes_);
    throw;
  }
}

StepGraph::~StepGraph() {
  if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
  backend_.deallocate(memory_, bytes_);
}

void StepGraph::capture() {
  const cudaStream_t stream = backend_.stream();
  cudaGraph_t graph = nullptr;
  PACKED_RNN_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  try {
    launch(stream, beginRunKernel, dim3(1), 32, 0, Run{space_, key.backward});
    for (int ahead = 0; ahead < kChunk; ahead++) {
      key.backward ? launchBackwardStep(backend_, *this, ahead) : launchForwardStep(backend_, *this, ahead);
    }
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  PACKED_RNN_CHECK(cudaStreamEndCapture(stream, &graph));
  const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  PACKED_RNN_CHECK(status);
}

void StepGraph::replay(std::int64_t steps) {
  for (std::int64_t done = 0; done < steps; done += kChunk) {
    PACKED_RNN_CHECK(cudaGraphLaunch(executable_, backend_.stream()));
  }
}

StepGraph& StepGraphs::of(const StepKey& key) {
  const auto found =
      std::find_if(graphs_.begin(), graphs_.end(), [&](const auto& graph) { return graph->key == key; });
  if (found != graphs_.end()) {
    graphs_.splice(graphs_.begin(), graphs_, found);
  } else {
    graphs_.push_front(std::make_unique<StepGraph>(backend_, key));
    if (graphs_.size() > kMost) {
      PACKED_RNN_CHECK(cudaStreamSynchronize(backend_.stream()));  // its last replay may be running
      graphs_.pop_back();
    }
  }
  return *graphs_.front();
}

bool StepGraphs::release() {
  if (graphs_.empty()) return false;
  PACKED_RNN_CHECK(cudaStreamSynchronize(backend_.stream()));  // replays may be running
  graphs_.clear();
  return true;
}

void stepwiseForward(CudaBackend& backend, const ForwardPass& pass) {
  const RecurrentForward& a = pass.op;
  const March march(a.sequences);
  StepArguments arguments{};
  arguments.batch = a.sequences.count;
  arguments.inputs = pass.inputs;
  arguments.bias = pass.bias;
  arguments.index = pass.index;
  arguments.h0 = a.h0, arguments.c0 = a.c0;
  arguments.output = a.output;
  arguments.columns = pass.saved.columns, arguments.extra = pass.saved.extra;
  arguments.unprojected = pass.saved.unprojected;
  arguments.hN = a.hN, arguments.cN = a.cN;
  replay(backend, a, false, a.weights.at, arguments, march);
}

void stepwiseBackward(CudaBackend& backend, const BackwardPass& pass) {
  const RecurrentBackward& a = pass.op;
  const March march(a.sequences);
  StepArguments arguments{};
  arguments.batch = a.sequences.count;
  arguments.h0 = a.h0, arguments.c0 = a.c0;
  arguments.output = const_cast<float*>(a.output);
  arguments.columns = pass.saved.columns, arguments.extra = pass.saved.extra;
  arguments.dOutput = a.dOutput, arguments.dHN = a.dHN, arguments.dCN = a.dCN;
  arguments.dProjected = pass.dProjected, arguments.dH0 = a.dH0, arguments.dC0 = a.dC0;
  replay(backend, a, true, a.weights.at, arguments, march);
}

}  // namespace packed_rnn::cuda
