// The resident path, backward: see resident.cuh. Each slot runs from its sequence's last step to its first.
// There are two barriers a step.
#include "resident.cuh"

namespace packed_rnn::cuda {

namespace {

// budget<32>: 160 registers, 7 KB shared
// budget<64>: 200 registers, 13 KB shared
// budget<128>: 128 registers, 26 KB shared, 128 KB dynamic
template <Cell cell, int kUnits, class Product>
__global__ void __launch_bounds__(Product::kThreads, 1) residentBackwardKernel(const ResidentBackward p) {
  if constexpr (!Product::kTensor || compiledFor<true>()) {
    constexpr int kColumns = columnsOf(cell).count;
    constexpr bool kHasC = cell == Cell::lstm, kHasH = cell == Cell::gru;
    using Backward = typename Product::Backward;
    std::uint32_t* const deltas = sharedArray<std::uint32_t, kSlots * Backward::kPitch, 0>();
    float* const parts = sharedArray<float, Backward::kParts, 1>();

    const int unit = Backward::unit(), direction = blockIdx.y, hiddenSize = p.weights.hidden;
    const bool real = unit < hiddenSize;
    const std::int64_t pitch = static_cast<std::int64_t>(gridDim.y) * hiddenSize;
    const std::int64_t own = static_cast<std::int64_t>(direction) * hiddenSize + unit;
    const int stride = direction == 0 ? -1 : 1;  // toward the first step
    Backward product(p.weights, direction);

    int entry[2] = {}, row[2] = {}, left[2] = {};
    int sequence[2] = {}, dueSequence[2] = {};
    const auto stateOf = [&](int s) { return (direction * p.sequences + s) * hiddenSize + unit; };
    // chained: dh also includes the previously processed step's gradient; due: that dh is the gradient of h0
    bool chained[2] = {}, due[2] = {};
    float dh[2] = {}, dc[2] = {}, around[2] = {}, now[2] = {}, before[2] = {}, column[2][kColumns] = {};
    const auto fetch = [&](int j) {
      if (left[j] == 0 || !real) return;
      const std::int64_t at = row[j] * pitch + own;
      if constexpr (kColumns > 1) loadColumns(p.columns + at * kColumns, column[j]);
      if constexpr (kHasC) now[j] = chained[j] ? before[j] : p.cells[at];
      if constexpr (!kHasC && !kHasH) now[j] = p.output[at];
      if constexpr (kHasC || kHasH) {
        const float* const of = kHasC ? p.cells : p.output;
        const float* const first = kHasC ? p.c0 : p.h0;
        before[j] = left[j] > 1        ? of[at + stride * pitch]
                    : first == nullptr ? 0.0f
                                       : first[stateOf(sequence[j])];
      }
      const float d = p.dOutput == nullptr ? 0.0f : p.dOutput[at];
      dh[j] = chained[j] ? d : d + dh[j];
    };
    const auto take = [&](int j) {
      const int4 work = p.plan.work[entry[j]];
      left[j] = work.y;
      chained[j] = false;
      if (work.y == 0) return;
      entry[j]++;
      row[j] = direction == 0 ? work.x + work.y - 1 : work.x;
      sequence[j] = work.z;
      dh[j] = real && p.dHN != nullptr ? p.dHN[stateOf(work.z)] : 0.0f;
      dc[j] = kHasC && real && p.dCN != nullptr ? p.dCN[stateOf(work.z)] : 0.0f;
    };
    // The gradient of the earlier step's h from the step that was processed last.
    const auto reached = [&](int j) { return product.sum(parts, j) + around[j]; };

#pragma unroll
    for (int j = 0; j < 2; j++) {
      entry[j] = p.plan.slotWork[blockIdx.x * kSlots + Backward::slot(j)];
      Backward::store(deltas, Backward::slot(j), unit, column[j]);  // an idle slot stays finite
      take(j);
      fetch(j);
    }

    const int steps = p.plan.blockSteps[blockIdx.x];
    for (int step = 0; step < steps; step++) {
#pragma unroll
      for (int j = 0; j < 2; j++) {
        const float chain = chained[j] || due[j] ? reached(j) : 0.0f;
        if (due[j] && real && p.dH0 != nullptr) p.dH0[stateOf(dueSequence[j])] = chain;
        due[j] = false;
        if (left[j] == 0) continue;
        around[j] = chained[j] ? dh[j] + chain : dh[j];
        backwardUnit<cell, typename Product::Math>(column[j], now[j], before[j], around[j], dc[j]);
        if (real) storeColumns(p.columns + (row[j] * pitch + own) * kColumns, column[j]);
        Backward::store(deltas, Backward::slot(j), unit, column[j]);
        if (left[j] == 1) {
          if (kHasC && real && p.dC0 != nullptr) p.dC0[stateOf(sequence[j])] = dc[j];
          due[j] = true;
          dueSequence[j] = sequence[j];
          take(j);
        } else {
          left[j]--;
          row[j] += stride;
          chained[j] = true;
        }
        fetch(j);
      }
      __syncthreads();  // the deltas are complete, and no thread reads the sums any more

      __syncwarp();  // lanes diverged above; the product needs them together
      product.multiply(deltas, parts);
      __syncthreads();  // the sums are complete, and no thread reads the deltas any more
    }
#pragma unroll
    for (int j = 0; j < 2; j++) {
      if (due[j] && real && p.dH0 != nullptr) p.dH0[stateOf(dueSequence[j])] = reached(j);
    }
  }
}

}  // namespace

void residentBackward(CudaBackend& backend, const BackwardPass& pass) {
  const RecurrentBackward& a = pass.op;
  ResidentPlan plan(backend, a, a.weights.at);
  const ResidentBackward arguments{plan.plan(),
                                   plan.weights(),
                                   pass.saved.columns,
                                   pass.saved.extra,
                                   a.output,
                                   a.h0,
                                   a.c0,
                                   a.dOutput,
                                   a.dHN,
                                   a.dCN,
                                   a.dH0,
                                   a.dC0,
                                   a.sequences.count};
  chooseCell(a.cell, [&](auto cell) {
    constexpr Cell kCell = decltype(cell)::value;
    chooseProduct<columnsOf(kCell).count>(backend, a.hiddenSize, [&](auto units, auto chosen) {
      using Product = typename decltype(chosen)::type;
      launch(backend.stream(), residentBackwardKernel<kCell, decltype(units)::value, Product>, plan.grid(),
             Product::kThreads, Product::Backward::Words::kSharedBytes, arguments);
    });
  });
}

}  // namespace packed_rnn::cuda
