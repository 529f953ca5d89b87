// The resident path, forward: see resident.cuh. One barrier a step.
#include "resident.cuh"

namespace packed_rnn::cuda {

namespace {

// budget<32>: 160 registers, 3 KB shared
// budget<64>: 200 registers, 5 KB shared
// budget<128>: 128 registers, 9 KB shared, 160 KB dynamic
template <Cell cell, int kUnits, class Product>
__global__ void __launch_bounds__(Product::kThreads, 1) residentForwardKernel(const ResidentForward p) {
  if constexpr (!Product::kTensor || compiledFor<true>()) {
    constexpr int kColumns = columnsOf(cell).count;
    constexpr bool kHasC = cell == Cell::lstm;
    // Whether a step's inputs are loaded during the previous step. A product of 128 units takes longer than a
    // load and leaves no registers for it.
    constexpr bool kEarly = kUnits < 128;
    using Forward = typename Product::Forward;
    constexpr int kBuffer = kSlots * Forward::kPitch;
    std::uint32_t* const hidden =
        sharedArray<std::uint32_t, 2 * kBuffer, 0>();  // h of this step and of the next

    const int unit = Forward::unit(), direction = blockIdx.y, hiddenSize = p.weights.hidden;
    const bool real = unit < hiddenSize;  // a padding unit computes zeros; it neither reads nor writes
    const std::int64_t pitch = static_cast<std::int64_t>(gridDim.y) * hiddenSize;
    const std::int64_t own = static_cast<std::int64_t>(direction) * hiddenSize + unit;
    const int stride = direction == 0 ? 1 : -1;
    const Forward product(p.weights, direction);

    int entry[2] = {}, row[2] = {},
        left[2] = {};  // of a slot: the index of its next sequence, this step's row, and the remaining steps
    std::int32_t source[2] = {};  // the row of the inputs that are loaded next
    int sequence[2] = {};
    float h[2], c[2], column[2][kColumns] = {};
    const auto stateOf = [&](int s) { return (direction * p.sequences + s) * hiddenSize + unit; };
    const float biasOfQ = cell == Cell::gru && real ? p.bias[own * kColumns + 3] : 0.0f;
    const auto fetch = [&](int j) {
      if (!real) return;
      loadColumns(p.inputs + (source[j] * pitch + own) * kColumns, column[j]);
      if constexpr (cell == Cell::gru) column[j][3] = biasOfQ;
    };
    const auto look = [&](int j, int at) { source[j] = p.index == nullptr ? at : p.index[at]; };
    // Starts the next sequence of a slot.
    const auto take = [&](int j) {
      const int4 work = p.plan.work[entry[j]];
      left[j] = work.y;
      if (work.y == 0) return;
      entry[j]++;
      row[j] = direction == 0 ? work.x : work.x + work.y - 1;
      sequence[j] = work.z;
      look(j, row[j]);
      if constexpr (kEarly) {
        fetch(j);
        if (left[j] > 1) look(j, row[j] + stride);
      }
    };

    // h and c before a slot's first step; 0 if the slot has no more work.
    const auto begin = [&](int j) {
      h[j] = c[j] = 0;
      if (left[j] == 0 || !real) return;
      if (p.h0 != nullptr) h[j] = p.h0[stateOf(sequence[j])];
      if (kHasC && p.c0 != nullptr) c[j] = p.c0[stateOf(sequence[j])];
    };

#pragma unroll
    for (int j = 0; j < 2; j++) {
      entry[j] = p.plan.slotWork[blockIdx.x * kSlots + Forward::slot(j)];
      take(j);
      begin(j);
      Forward::store(hidden, Forward::slot(j), unit, h[j]);
    }
    __syncthreads();  // the first h is complete

    const int steps = p.plan.blockSteps[blockIdx.x];
    for (int step = 0; step < steps; step++) {
      const std::uint32_t* const now = hidden + step % 2 * kBuffer;
      std::uint32_t* const next = hidden + (step + 1) % 2 * kBuffer;

      // The loads run while the product is computed.
      float inputs[2][kColumns] = {};
      int thisRow[2], thisLeft[2], thisSequence[2];
#pragma unroll
      for (int j = 0; j < 2; j++) {
        if constexpr (kEarly) {
#pragma unroll
          for (int q = 0; q < kColumns; q++) inputs[j][q] = column[j][q];
        } else {
          if (left[j] > 0) fetch(j);
        }
        thisRow[j] = row[j], thisLeft[j] = left[j], thisSequence[j] = sequence[j];
        if (left[j] == 1) {
          take(j);
        } else if (left[j] > 1) {
          left[j]--;
          row[j] += stride;
          if constexpr (kEarly) {
            fetch(j);
            if (left[j] > 1) look(j, row[j] + stride);
          } else {
            look(j, row[j]);
          }
        }
      }
      __syncwarp();  // lanes diverge where a slot ends; the product needs them together

      product.multiply(now, inputs);
#pragma unroll
      for (int j = 0; j < 2; j++) {
        if constexpr (!kEarly) {
#pragma unroll
          for (int q = 0; q < kColumns; q++) inputs[j][q] += column[j][q];
        }
        forwardUnit<cell, typename Product::Math>(inputs[j], h[j], c[j]);
        if (thisLeft[j] > 0 && real) {
          const std::int64_t at = thisRow[j] * pitch + own;
          p.output[at] = h[j];
          if (p.columns != nullptr) {
            // For an Elman cell, a backward pass only needs the output.
            if constexpr (kColumns > 1) storeColumns(p.columns + at * kColumns, inputs[j]);
            if constexpr (kHasC) p.cells[at] = c[j];
          }
          if (thisLeft[j] == 1) {
            p.hN[stateOf(thisSequence[j])] = h[j];
            if constexpr (kHasC) p.cN[stateOf(thisSequence[j])] = c[j];
          }
        }
        if (thisLeft[j] <= 1) begin(j);  // of the next sequence
        Forward::store(next, Forward::slot(j), unit, h[j]);
      }
      __syncthreads();  // the next h is complete, and no thread reads this one any more
    }
  }
}

}  // namespace

void residentForward(CudaBackend& backend, const ForwardPass& pass) {
  const RecurrentForward& a = pass.op;
  ResidentPlan plan(backend, a, a.weights.at);
  const ResidentForward arguments{
      plan.plan(),        plan.weights(),   pass.inputs, pass.bias, pass.index,       a.h0, a.c0, a.output,
      pass.saved.columns, pass.saved.extra, a.hN,        a.cN,      a.sequences.count};
  chooseCell(a.cell, [&](auto cell) {
    constexpr Cell kCell = decltype(cell)::value;
    chooseProduct<columnsOf(kCell).count>(backend, a.hiddenSize, [&](auto units, auto chosen) {
      using Product = typename decltype(chosen)::type;
      launch(backend.stream(), residentForwardKernel<kCell, decltype(units)::value, Product>, plan.grid(),
             Product::kThreads, Product::Forward::Words::kSharedBytes, arguments);
    });
  });
}

}  // namespace packed_rnn::cuda
