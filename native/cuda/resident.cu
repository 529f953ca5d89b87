// Decides which layers take the resident path, and assigns sequences to slots.
#include <algorithm>
#include <queue>
#include <utility>

#include "resident.cuh"

namespace packed_rnn::cuda {

namespace {

// The shared memory of a block, dynamic and static, in the pass that needs more.
template <class Product>
constexpr std::size_t sharedBytes() {
  using Forward = typename Product::Forward;
  using Backward = typename Product::Backward;
  return std::max(
      Forward::Words::kSharedBytes + sizeof(float) * 2 * kSlots * Forward::kPitch,
      Backward::Words::kSharedBytes + sizeof(float) * (kSlots * Backward::kPitch + Backward::kParts));
}

// The number of rows of the recurrent weights, for all gates.
std::int64_t rowsOf(const RecurrentShape& shape) {
  const Columns columns = columnsOf(shape.cell);
  return (*std::max_element(columns.hidden, columns.hidden + columns.count) + 1) * shape.hiddenSize;
}

}  // namespace

// The layer and the device decide the path, never the batch. So a sequence has the same bits in every batch.
bool residentServes(const CudaBackend& backend, const RecurrentShape& shape) {
  if (backend.stepwise()) return false;
  // Both need two dependent products a step.
  if (shape.projectionSize > 0 || shape.cell == Cell::resetFirstGru) return false;
  if (shape.hiddenSize > 128) return false;
  const std::int64_t units = shape.hiddenSize <= 32 ? 32 : shape.hiddenSize <= 64 ? 64 : 128;
  const std::int64_t columns = columnsOf(shape.cell).count;
  if (backend.precision() == Precision::float32) return units * columns <= kMostFloatColumns;
  if (units * columns < 512) return true;
  const std::size_t needed = backend.precision() == Precision::tf32
                                 ? sharedBytes<TensorProduct<Tf32, 128, 4>>()
                                 : sharedBytes<TensorProduct<Bf16, 128, 4>>();
  return needed <= backend.properties().sharedMemPerBlockOptin;
}

// Assigns the sequences in their order, each to the slot that ends first.
struct ResidentPlan::Lists {
  std::vector<int4> work;
  std::vector<int> numbers;  // slotWork, then blockSteps
  std::int64_t blocks;

  Lists(CudaBackend& backend, const RecurrentShape& shape) {
    const std::vector<int4> sequences = longestFirst(shape.sequences);
    // A multiprocessor holds one block; more blocks would wait.
    const std::int64_t most =
        std::max<std::int64_t>(1, backend.properties().multiProcessorCount / shape.directions);
    const auto wanted = static_cast<std::int64_t>((sequences.size() + kSlots - 1) / kSlots);
    blocks = std::clamp<std::int64_t>(wanted, 1, most);
    using Load = std::pair<int, std::int64_t>;  // steps, slot
    std::priority_queue<Load, std::vector<Load>, std::greater<>> slots;
    // Neighbours in the order go to the same block, so its slots end at about the same time.
    for (std::int64_t s = 0; s < blocks * kSlots; s++) slots.push({0, s});
    std::vector<std::vector<int4>> lists(static_cast<std::size_t>(blocks * kSlots));
    std::vector<int> steps(static_cast<std::size_t>(blocks), 0);
    for (const int4& sequence : sequences) {
      const auto [load, slot] = slots.top();
      slots.pop();
      lists[slot].push_back(sequence);
      slots.push({load + sequence.y, slot});
      steps[slot / kSlots] = std::max(steps[slot / kSlots], load + sequence.y);
    }
    for (const std::vector<int4>& list : lists) {
      numbers.push_back(static_cast<int>(work.size()));
      work.insert(work.end(), list.begin(), list.end());
      work.push_back(make_int4(0, 0, 0, 0));
    }
    numbers.insert(numbers.end(), steps.begin(), steps.end());
  }
};

ResidentPlan::ResidentPlan(CudaBackend& backend, const RecurrentShape& shape,
                           const RecurrentWeights (&weights)[2])
    : ResidentPlan(backend, shape, weights, Lists(backend, shape)) {}
ResidentPlan::ResidentPlan(CudaBackend& backend, const RecurrentShape& shape,
                           const RecurrentWeights (&weights)[2], const Lists& lists)
    : blocks_(lists.blocks),
      directions_(shape.directions),
      work_(backend, lists.work),
      numbers_(backend, lists.numbers),
      flushed_(backend, shape.directions * rowsOf(shape) * shape.hiddenSize),
      hidden_{{}, {}, static_cast<int>(shape.hiddenSize)} {
  const Columns columns = columnsOf(shape.cell);
  std::copy(columns.hidden, columns.hidden + 4, hidden_.gate);
  // Packed as one column that takes from one gate of all rows: a copy whose addition flushes denormals. In
  // the kernels this would cost registers, and layers of 128 units have none left.
  const std::int64_t rows = rowsOf(shape);
  for (std::int64_t d = 0; d < shape.directions; d++) {
    float* const to = flushed_ + d * rows * shape.hiddenSize;
    packColumns(backend,
                {1, {0, -1, -1, -1}, rows, shape.hiddenSize, to, const_cast<float*>(weights[d].wHh)});
    hidden_.of[d] = to;
  }
}

}  // namespace packed_rnn::cuda
